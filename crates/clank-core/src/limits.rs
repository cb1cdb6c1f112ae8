//! What a peer may use of the server.
//!
//! Every limit has a default and a range; there is no way to write unlimited.

mod quantity;

pub use quantity::{Count, GIB, HOUR, KIB, MIB, MINUTE, Period, Quantity, QuantityError, SECOND, Size, Unit};

/// What becomes of a client whose outbound queue is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SlowConsumer {
    /// It is disconnected, as `slow_consumer`.
    #[default]
    Disconnect,
    /// Events for it are dropped and counted. A reply is never dropped: where
    /// one has no room, the client is disconnected.
    DropEvents,
}

/// The limits of a server.
///
/// ```
/// use clank_core::limits::Limits;
/// let limits = Limits { calls_in_flight: "10".parse()?, ..Limits::DEFAULT };
/// assert_eq!(limits.calls_in_flight.count(), 10);
/// assert_eq!(limits.message.bytes(), 1 << 20);
/// # Ok::<_, clank_core::limits::QuantityError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a message, after decompression and over all its fragments.
    pub message: Size<KIB, GIB>,

    /// Bytes of a request's line and headers.
    pub headers: Size<KIB, MIB>,
    /// Headers of a request.
    pub header_count: Count<16, 1_000>,
    /// Time from accepting a connection to the last byte of its request.
    pub handshake: Period<100, { 5 * MINUTE }>,
    /// Unfinished handshakes, in all.
    pub handshakes: Count<1, 1_000_000>,
    /// Unfinished handshakes of one address.
    pub handshakes_per_address: Count<1, 1_000_000>,

    /// Connections, in all.
    pub connections: Count<1, 100_000_000>,
    /// Connections of one address.
    pub connections_per_address: Count<1, 100_000_000>,

    /// Subscriptions of a connection.
    pub subscriptions: Count<1, 1_000_000>,
    /// Prefixes that a WAMP v1 session has defined.
    pub prefixes: Count<1, 100_000>,
    /// Bytes of those prefixes and of what they stand for.
    pub prefix_bytes: Size<256, { 16 * MIB }>,
    /// Bytes of a WAMP v1 call's id.
    pub call_id: Size<16, { 64 * KIB }>,
    /// Sessions that a publication excludes, and as many again that it names as eligible.
    pub listed_sessions: Count<1, 1_000_000>,
    /// What a WAMP v2 session may leave to be published when it ends.
    pub testaments: Count<1, 10_000>,
    /// Bytes of that together.
    pub testament_bytes: Size<256, { 16 * MIB }>,
    /// Topics of a realm that retain an event.
    pub retained_topics: Count<1, 1_000_000>,
    /// Bytes of all events that the topics of a realm retain.
    pub retained_bytes: Size<KIB, { 16 * GIB }>,
    /// Bytes of a topic's or procedure's URI.
    pub uri: Size<16, { 64 * KIB }>,
    /// Calls of a connection that wait for their results.
    pub calls_in_flight: Count<1, 1_000_000>,
    /// Messages of a connection that wait for a handler; reading stops when they are this many.
    pub inbox: Count<1, 1_000_000>,

    /// Bytes that wait to be sent to a connection.
    pub outbound: Size<{ 4 * KIB }, GIB>,
    /// What becomes of a connection for which more are waiting.
    pub slow_consumer: SlowConsumer,
    /// Time for which a connection may take no byte of what waits for it.
    pub write: Period<100, { 10 * MINUTE }>,
    /// Bytes that wait to be sent or handled, over all connections.
    pub buffered: Size<MIB, { 1024 * GIB }>,

    /// Silence of a client after which it is sent a ping.
    pub keepalive_interval: Period<100, { 24 * HOUR }>,
    /// Time after the ping in which something must be heard.
    pub keepalive_timeout: Period<100, HOUR>,

    /// Time that a lifecycle listener may take.
    pub listener: Period<1, HOUR>,

    /// Time over which the closes of a shutdown are spread.
    pub drain: Period<0, HOUR>,
    /// Time after which a shutdown waits for nobody any longer; it counts from its beginning.
    pub shutdown: Period<100, { 24 * HOUR }>,
}

impl Limits {
    /// The limits of a server that was told of none.
    pub const DEFAULT: Self = Self {
        message: Size::of(MIB),

        headers: Size::of(16 * KIB),
        header_count: Count::of(100),
        handshake: Period::of(10 * SECOND),
        // More than the system holds ready to be accepted, so that no client of a storm is refused
        // only because it came together with others. One whose request comes in pieces holds some
        // 13 KiB meanwhile.
        handshakes: Count::of(5_000),
        handshakes_per_address: Count::of(1_000),

        connections: Count::of(100_000),
        // A fifth of all, so that no address alone shuts the others out. It is more than a large
        // office behind one address needs, and less than the 28,232 local ports that one Linux
        // machine has by default, so that it is a limit for an attacker with a single machine.
        // Behind a proxy all clients may share an address: there it has to be raised.
        connections_per_address: Count::of(20_000),

        subscriptions: Count::of(1_000),
        prefixes: Count::of(100),
        prefix_bytes: Size::of(16 * KIB),
        call_id: Size::of(256),
        listed_sessions: Count::of(1_000),
        testaments: Count::of(100),
        testament_bytes: Size::of(64 * KIB),
        retained_topics: Count::of(10_000),
        retained_bytes: Size::of(16 * MIB),
        uri: Size::of(KIB),
        calls_in_flight: Count::of(100),
        inbox: Count::of(64),

        outbound: Size::of(MIB),
        slow_consumer: SlowConsumer::Disconnect,
        write: Period::of(30 * SECOND),
        buffered: Size::of(GIB),

        // Proxies and NAT tables commonly forget a silent connection after a minute.
        keepalive_interval: Period::of(30 * SECOND),
        keepalive_timeout: Period::of(10 * SECOND),

        listener: Period::of(5 * SECOND),

        drain: Period::of(5 * SECOND),
        shutdown: Period::of(30 * SECOND),
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_fit_together() {
        let limits = Limits::default();
        assert!(limits.handshakes_per_address.count() <= limits.handshakes.count());
        assert!(limits.connections_per_address.count() <= limits.connections.count());
        assert!(
            limits.message.bytes() <= limits.outbound.bytes(),
            "an event of full length can be delivered"
        );
        assert!(limits.outbound.bytes() <= limits.buffered.bytes());
        assert!(limits.drain.duration() + limits.listener.duration() <= limits.shutdown.duration());
    }
}
