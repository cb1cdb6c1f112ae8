//! The types of message.

use std::fmt;

/// The types of message, by the number that stands for each (specification: "Message Codes and
/// Direction").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum MessageType {
    /// A client wants to join a realm.
    Hello = 1,
    /// It has joined.
    Welcome = 2,
    /// A session ends, or never begins; not answered.
    Abort = 3,
    /// A client shall prove who it is.
    Challenge = 4,
    /// It does.
    Authenticate = 5,
    /// A session ends; answered with the same.
    Goodbye = 6,
    /// Why a request failed.
    Error = 8,
    /// A client publishes to a topic.
    Publish = 16,
    /// It has been published.
    Published = 17,
    /// A client wants a topic's events.
    Subscribe = 32,
    /// It gets them from now on.
    Subscribed = 33,
    /// It wants them no more.
    Unsubscribe = 34,
    /// It gets them no more.
    Unsubscribed = 35,
    /// What was published on a topic.
    Event = 36,
    /// A client calls a procedure.
    Call = 48,
    /// It wants no result any more.
    Cancel = 49,
    /// What the procedure returned.
    Result = 50,
    /// A client offers a procedure.
    Register = 64,
    /// It is called from now on.
    Registered = 65,
    /// It offers it no more.
    Unregister = 66,
    /// It is called no more.
    Unregistered = 67,
    /// A client's procedure is called.
    Invocation = 68,
    /// Its result is no longer wanted.
    Interrupt = 69,
    /// What it returns.
    Yield = 70,
}

impl MessageType {
    /// All types of message.
    pub const ALL: [MessageType; 24] = [
        MessageType::Hello,
        MessageType::Welcome,
        MessageType::Abort,
        MessageType::Challenge,
        MessageType::Authenticate,
        MessageType::Goodbye,
        MessageType::Error,
        MessageType::Publish,
        MessageType::Published,
        MessageType::Subscribe,
        MessageType::Subscribed,
        MessageType::Unsubscribe,
        MessageType::Unsubscribed,
        MessageType::Event,
        MessageType::Call,
        MessageType::Cancel,
        MessageType::Result,
        MessageType::Register,
        MessageType::Registered,
        MessageType::Unregister,
        MessageType::Unregistered,
        MessageType::Invocation,
        MessageType::Interrupt,
        MessageType::Yield,
    ];

    /// The type for which a number stands.
    pub const fn from_number(number: u64) -> Option<Self> {
        let message = match number {
            1 => MessageType::Hello,
            2 => MessageType::Welcome,
            3 => MessageType::Abort,
            4 => MessageType::Challenge,
            5 => MessageType::Authenticate,
            6 => MessageType::Goodbye,
            8 => MessageType::Error,
            16 => MessageType::Publish,
            17 => MessageType::Published,
            32 => MessageType::Subscribe,
            33 => MessageType::Subscribed,
            34 => MessageType::Unsubscribe,
            35 => MessageType::Unsubscribed,
            36 => MessageType::Event,
            48 => MessageType::Call,
            49 => MessageType::Cancel,
            50 => MessageType::Result,
            64 => MessageType::Register,
            65 => MessageType::Registered,
            66 => MessageType::Unregister,
            67 => MessageType::Unregistered,
            68 => MessageType::Invocation,
            69 => MessageType::Interrupt,
            70 => MessageType::Yield,
            _ => return None,
        };
        Some(message)
    }

    /// The name that the specification gives the message, such as `SUBSCRIBE`.
    pub const fn name(self) -> &'static str {
        match self {
            MessageType::Hello => "HELLO",
            MessageType::Welcome => "WELCOME",
            MessageType::Abort => "ABORT",
            MessageType::Challenge => "CHALLENGE",
            MessageType::Authenticate => "AUTHENTICATE",
            MessageType::Goodbye => "GOODBYE",
            MessageType::Error => "ERROR",
            MessageType::Publish => "PUBLISH",
            MessageType::Published => "PUBLISHED",
            MessageType::Subscribe => "SUBSCRIBE",
            MessageType::Subscribed => "SUBSCRIBED",
            MessageType::Unsubscribe => "UNSUBSCRIBE",
            MessageType::Unsubscribed => "UNSUBSCRIBED",
            MessageType::Event => "EVENT",
            MessageType::Call => "CALL",
            MessageType::Cancel => "CANCEL",
            MessageType::Result => "RESULT",
            MessageType::Register => "REGISTER",
            MessageType::Registered => "REGISTERED",
            MessageType::Unregister => "UNREGISTER",
            MessageType::Unregistered => "UNREGISTERED",
            MessageType::Invocation => "INVOCATION",
            MessageType::Interrupt => "INTERRUPT",
            MessageType::Yield => "YIELD",
        }
    }
}

impl fmt::Display for MessageType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
