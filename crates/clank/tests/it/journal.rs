//! The server with a journal: what is recorded, and who waits for it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use clank::journal::{Begun, CannotBegin, Journal, NotRecorded, Position, Then};
use clank::{Admission, EventKind, Record, Timestamp};
use clank_core::event::{Body, Origin, PreviousRun};
use clank_core::id::{ResourceId, RunId};
use serde_json::{Value, json};

use crate::support::peer::PING;
use crate::support::{FIN, HANDSHAKE, JSON2, Peer, Peer2, Test, eventually, serve, until};

/// A journal that keeps records in memory, when the test lets it.
#[derive(Default)]
struct Paper {
    state: Mutex<State>,
    next: AtomicU64,
}

#[derive(Default)]
struct State {
    /// What is kept.
    kept: Vec<Record>,
    /// What waits, if the pen is held.
    waiting: VecDeque<(Record, Then)>,
    held: Option<EventKind>,
    refuses: Option<(EventKind, NotRecorded)>,
    begun: bool,
    ended: bool,
}

const FIRST: u64 = 1_000;

impl Journal for Paper {
    fn begin(&self, _: &Origin, _: Timestamp) -> Result<Begun, CannotBegin> {
        self.state.lock().unwrap().begun = true;
        self.next.store(FIRST, Ordering::Relaxed);
        let previous = PreviousRun { run: RunId::new(1, &[7; 10]), clean: false, left_open: 3 };
        Ok(Begun { previous: Some(previous), first: ResourceId::new(FIRST).unwrap() })
    }

    fn keeps(&self, _: EventKind) -> bool {
        true
    }

    fn append(&self, record: Record, then: Then) {
        let mut state = self.state.lock().unwrap();
        if state.held == Some(record.kind()) {
            state.waiting.push_back((record, then));
            return;
        }
        let outcome = state.keep(record);
        drop(state);
        then(outcome);
    }

    fn next_resource_id(&self) -> Option<ResourceId> {
        ResourceId::new(self.next.fetch_add(1, Ordering::Relaxed))
    }

    fn end(&self, _: Timestamp) {
        self.state.lock().unwrap().ended = true;
    }
}

impl State {
    fn keep(&mut self, record: Record) -> Result<Position, NotRecorded> {
        match self.refuses {
            Some((kind, why)) if kind == record.kind() => Err(why),
            _ => {
                self.kept.push(record);
                Ok(Position::new(self.kept.len() as u64))
            }
        }
    }
}

impl Paper {
    fn hold(&self, kind: EventKind) {
        self.state.lock().unwrap().held = Some(kind);
    }

    fn refuse(&self, kind: EventKind, why: NotRecorded) {
        self.state.lock().unwrap().refuses = Some((kind, why));
    }

    /// Waits until a record has been handed over that is held.
    fn until_handed_over(&self) {
        until("a record is handed over", || !self.state.lock().unwrap().waiting.is_empty());
    }

    /// Lets go of all that is held.
    fn release(&self) {
        let mut state = self.state.lock().unwrap();
        state.held = None;
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        for (record, then) in waiting {
            let outcome = self.state.lock().unwrap().keep(record);
            then(outcome);
        }
    }

    /// What is kept, as JSON.
    fn kept(&self, kind: EventKind) -> Vec<Value> {
        let state = self.state.lock().unwrap();
        let kept = state.kept.iter().filter(|record| record.kind() == kind);
        kept.map(|record| serde_json::to_value(record).unwrap()).collect()
    }
}

fn serve_with(paper: &Arc<Paper>) -> Test {
    let journal = Arc::clone(paper);
    serve(|builder| builder.journal(journal))
}

/// A client whose handshake waits until its record is let go.
fn ask(test: &Test, paper: &Paper) -> Peer {
    paper.hold(EventKind::Connected);
    let mut peer = Peer::connect(test.address);
    peer.write(HANDSHAKE.as_bytes());
    paper.until_handed_over();
    peer
}

#[test]
fn a_run_begins_before_it_is_told_of_and_ends_after_all_else() {
    let paper = Arc::new(Paper::default());
    let test = serve_with(&paper);
    assert!(paper.state.lock().unwrap().begun);
    let launched = test.log.wait_for("clank.server.launched");
    assert_eq!(
        (&launched["previous"]["left_open"], &launched["previous"]["clean"]),
        (&json!(3), &json!(false))
    );
    assert_eq!(paper.kept(EventKind::Launched), [launched]);
    let (_peer, id) = test.client_and_id();
    assert_eq!(id, FIRST, "the journal gives the numbers");
    tokio::runtime::Runtime::new().unwrap().block_on(test.server.shutdown());
    let state = paper.state.lock().unwrap();
    assert!(state.ended);
    let kinds: Vec<_> = state.kept.iter().map(Record::kind).collect();
    use EventKind::{Connected, Disconnected, Launched, Stopping};
    assert_eq!(kinds, [Launched, Connected, Stopping, Disconnected]);
}

#[test]
fn a_client_is_welcomed_once_its_connection_is_recorded() {
    let paper = Arc::new(Paper::default());
    let test = serve_with(&paper);
    let mut peer = ask(&test, &paper);
    peer.stream.set_nonblocking(true).unwrap();
    assert!(peer.try_frame().is_err(), "nothing is said before");
    assert!(test.log.every("clank.client.connected").is_empty());
    peer.stream.set_nonblocking(false).unwrap();
    paper.release();
    assert_eq!(peer.response().status, 101);
    peer.welcomed().leave();
    let connected = test.log.wait_for("clank.client.connected");
    assert_eq!(paper.kept(EventKind::Connected), [connected], "to the letter");
}

/// A client of WAMP v2 whose HELLO waits until its record is let go.
fn ask_to_join(test: &Test, paper: &Paper) -> Peer2 {
    paper.hold(EventKind::Connected);
    let mut peer = Peer2::connect(test.address, JSON2);
    peer.hello("realm1");
    paper.until_handed_over();
    peer
}

#[test]
fn a_session_is_welcomed_once_it_is_recorded() {
    let paper = Arc::new(Paper::default());
    let test = serve_with(&paper);
    let mut peer = ask_to_join(&test, &paper);
    peer.peer.stream.set_nonblocking(true).unwrap();
    assert!(peer.peer.try_frame().is_err(), "nothing is said before");
    assert!(test.log.every("clank.client.connected").is_empty());
    peer.peer.stream.set_nonblocking(false).unwrap();
    paper.release();
    peer.welcomed();
    let connected = test.log.wait_for("clank.client.connected");
    assert_eq!(connected["session"]["id"], peer.session);
    assert_eq!(paper.kept(EventKind::Connected), [connected], "to the letter");
    // The next session on the same socket has a record of its own, which may fail.
    peer.send(&json!([6, {}, "wamp.close.close_realm"]));
    assert_eq!(peer.next()[0], 6);
    test.disconnected();
    paper.refuse(EventKind::Connected, NotRecorded::Full);
    peer.hello("realm1");
    assert_eq!(peer.aborted().0, "wamp.error.unavailable");
    assert_eq!(test.rejected()["cause"], "journal_unavailable");
    assert_eq!(paper.kept(EventKind::Connected).len(), 1);
}

#[test]
fn a_session_whose_client_goes_while_it_is_recorded_has_been_connected() {
    let paper = Arc::new(Paper::default());
    let test = serve_with(&paper);
    drop(ask_to_join(&test, &paper));
    paper.release();
    assert_eq!(test.disconnected()["cause"], "network_lost");
    assert_eq!(paper.kept(EventKind::Disconnected).len(), 1);
    assert!(test.log.every("clank.client.rejected").is_empty());
}

#[test]
fn what_cannot_be_recorded_is_refused() {
    let paper = Arc::new(Paper::default());
    let test = serve_with(&paper);
    paper.refuse(EventKind::Connected, NotRecorded::Full);
    assert_eq!(test.request(HANDSHAKE).status, 503);
    assert_eq!(test.rejected()["cause"], "journal_unavailable");
    paper.next.store(0, Ordering::Relaxed);
    paper.refuse(EventKind::Launched, NotRecorded::Full);
    assert_eq!(test.request(HANDSHAKE).status, 503, "there is no number for it");
    assert_eq!(test.rejected()["cause"], "journal_unavailable");
    paper.next.store(FIRST, Ordering::Relaxed);
    test.is_well();
}

#[test]
fn a_client_that_goes_while_it_is_recorded_has_been_connected() {
    let paper = Arc::new(Paper::default());
    let test = serve_with(&paper);
    let peer = ask(&test, &paper);
    drop(peer);
    until("its handshake has ended", || test.handle().tables().handshakes == 0);
    paper.release();
    let gone = test.disconnected();
    assert_eq!((&gone["cause"], &gone["sequence"]), (&json!("network_lost"), &json!(2)));
    assert_eq!(paper.kept(EventKind::Disconnected), [gone]);
    assert!(test.log.every("clank.client.rejected").is_empty());
}

#[test]
fn a_client_that_goes_while_its_record_fails_was_rejected() {
    let paper = Arc::new(Paper::default());
    let test = serve_with(&paper);
    paper.refuse(EventKind::Connected, NotRecorded::Failed);
    let peer = ask(&test, &paper);
    drop(peer);
    until("its handshake has ended", || test.handle().tables().handshakes == 0);
    paper.release();
    assert_eq!(test.rejected()["cause"], "aborted");
    assert!(paper.kept(EventKind::Connected).is_empty());
}

#[test]
fn listeners_hear_of_an_end_once_it_is_recorded() {
    let paper = Arc::new(Paper::default());
    let test = serve_with(&paper);
    let peer = test.client();
    paper.hold(EventKind::Disconnected);
    peer.leave();
    paper.until_handed_over();
    assert!(test.log.every("clank.client.disconnected").is_empty());
    paper.release();
    let gone = test.disconnected();
    assert_eq!(paper.kept(EventKind::Disconnected), [gone]);
}

#[test]
fn an_end_that_cannot_be_recorded_is_told_all_the_same() {
    let paper = Arc::new(Paper::default());
    let test = serve_with(&paper);
    let peer = test.client();
    paper.refuse(EventKind::Disconnected, NotRecorded::Closed);
    peer.leave();
    test.disconnected();
}

#[test]
fn what_a_connection_is_told_of_has_the_same_order_in_the_journal() {
    let paper = Arc::new(Paper::default());
    let test = serve_with(&paper);
    let mut peer = test.client();
    for _ in 0..3 {
        peer.call("test/panic", &json!([]));
    }
    peer.subscribe("acme/one");
    peer.round_trip();
    peer.leave();
    let gone = test.disconnected();
    let id = gone["resource_id"].as_u64().unwrap();
    let told = test.log.of(id);
    let kept: Vec<Value> = {
        let state = paper.state.lock().unwrap();
        let kept = state.kept.iter().filter(|record| matches!(record.body, Body::Client { .. }));
        kept.map(|record| serde_json::to_value(record).unwrap()).collect()
    };
    assert_eq!(kept, told);
    let sequences: Vec<_> = kept.iter().map(|record| record["sequence"].as_u64().unwrap()).collect();
    assert_eq!(sequences, (1..=7).collect::<Vec<_>>(), "{kept:?}");
}

#[test]
fn messages_wait_while_an_error_before_them_is_recorded_and_pings_do_not() {
    let paper = Arc::new(Paper::default());
    let test = serve_with(&paper);
    let mut peer = test.client();
    paper.hold(EventKind::Error);
    peer.call("test/panic", &json!([]));
    paper.until_handed_over();
    peer.send(json!([2, "id", "test/id", []]).to_string());
    peer.write(&crate::support::peer::frame(FIN | PING, b"there"));
    assert_eq!(peer.frame().payload, b"there");
    paper.release();
    assert_eq!(peer.json()[2], json!(FIRST));
    peer.leave();
}

#[test]
fn a_rejection_is_recorded_too() {
    let paper = Arc::new(Paper::default());
    let journal = Arc::clone(&paper);
    let test = serve(|builder| {
        builder
            .journal(journal)
            .on_connecting(|request: clank::ConnectRequest| async move {
                Ok(match request.path() {
                    "/" => Admission::accept().identity("alice"),
                    _ => Admission::reject(http::StatusCode::FORBIDDEN, "no"),
                })
            })
            .paths(clank::Paths::Any)
    });
    assert_eq!(test.request(HANDSHAKE.replace("GET / ", "GET /no ")).status, 403);
    let rejected = test.rejected();
    assert_eq!(eventually("it is kept", || paper.kept(EventKind::Rejected).pop()), rejected);
    test.client().leave();
    assert_eq!(test.disconnected()["identity"], json!({ "id": "alice" }));
}

#[test]
fn where_only_the_welcome_goes_ahead_all_else_waits_for_the_record() {
    let paper = Arc::new(Paper::default());
    let journal = Arc::clone(&paper);
    let test = serve(|builder| builder.journal(journal).journal_before_accept(false));
    paper.hold(EventKind::Connected);
    let mut peer = test.client();
    peer.send(json!([2, "id", "test/id", []]).to_string());
    peer.write(&crate::support::peer::frame(FIN | PING, b"there"));
    assert_eq!(peer.frame().payload, b"there", "the call waits, a ping does not");
    assert!(test.log.every("clank.client.connected").is_empty());
    paper.release();
    assert_eq!(peer.json()[2], json!(FIRST));
    let connected = test.log.wait_for("clank.client.connected");
    assert_eq!(paper.kept(EventKind::Connected), [connected]);
    peer.leave();
    assert_eq!(paper.kept(EventKind::Disconnected), [test.disconnected()]);
}

#[test]
fn a_client_that_is_welcomed_and_cannot_be_recorded_was_never_connected() {
    let paper = Arc::new(Paper::default());
    let journal = Arc::clone(&paper);
    let test = serve(|builder| builder.journal(journal).journal_before_accept(false));
    paper.refuse(EventKind::Connected, NotRecorded::Full);
    let mut peer = Peer::wamp(test.address);
    assert_eq!(peer.closed(), (1013, "the connection can't be recorded".to_owned()));
    let rejected = test.rejected();
    assert_eq!((&rejected["cause"], &rejected["http_status"]), (&json!("journal_unavailable"), &Value::Null));
    test.until_empty();
    for kind in ["clank.client.connected", "clank.client.disconnected", "clank.client.error"] {
        assert!(test.log.every(kind).is_empty(), "{kind}");
    }
    assert!(paper.kept(EventKind::Disconnected).is_empty());
}
