//! Topics that are subscribed to, published on and left at the same time.

use std::sync::Arc;

use clank_core::subscription::{Audience, Deliver};
use shuttle::thread::{self, JoinHandle};

use super::explore;
use crate::runtime::hub::{Held, Hub, Member, NotSubscribed, Outlet};
use crate::runtime::sync::{Mutex, lock};

const ANY: usize = 100;

/// What a member hears: who published it, on which topic, and its number.
type Heard = (u8, &'static str, u8);

/// A subscriber; its queue is what it heard.
struct Client {
    id: u64,
    held: Mutex<Held<Client>>,
    heard: Mutex<Vec<Heard>>,
}

impl Client {
    fn new(id: u64) -> Arc<Self> {
        Arc::new(Self { id, held: Mutex::default(), heard: Mutex::default() })
    }

    fn heard(&self) -> Vec<Heard> {
        lock(&self.heard).clone()
    }
}

impl Member for Client {
    fn id(&self) -> u64 {
        self.id
    }

    fn held(&self) -> &Mutex<Held<Self>> {
        &self.held
    }
}

struct Fanout(Heard);

impl Outlet<Client> for Fanout {}

impl Deliver<Arc<Client>> for Fanout {
    fn deliver(&mut self, id: u64, client: &Arc<Client>) {
        assert_eq!(id, client.id);
        lock(&client.heard).push(self.0);
    }
}

type Shared = Arc<Hub<Client>>;

fn publish(hub: &Shared, event: Heard) -> usize {
    hub.publish(event.1, &Audience::everyone(), &mut Fanout(event))
}

fn spawn<T: Send + 'static>(
    hub: &Shared,
    client: &Arc<Client>,
    act: impl FnOnce(&Shared, &Arc<Client>) -> T + Send + 'static,
) -> JoinHandle<T> {
    let (hub, client) = (Arc::clone(hub), Arc::clone(client));
    thread::spawn(move || act(&hub, &client))
}

fn join<T>(thread: JoinHandle<T>) -> T {
    thread.join().unwrap()
}

/// The house is empty: no topic, and nobody but the model holds a client.
fn assert_empty(hub: &Shared, clients: &[&Arc<Client>]) {
    assert_eq!(hub.topics(), 0, "a topic without members is forgotten");
    for client in clients {
        assert_eq!(Arc::strong_count(client), 1, "no table holds a client that has left");
    }
}

/// Two publish on two topics: every member hears each publisher's events in its order over both
/// topics, and all hear one topic's events in the same order.
fn publish_publish() {
    let hub = Arc::new(Hub::new());
    let clients = [Client::new(1), Client::new(2)];
    for client in &clients {
        assert_eq!(hub.subscribe("a", client, ANY), Ok(true));
        assert_eq!(hub.subscribe("b", client, ANY), Ok(true));
    }
    let publishers = [0, 1].map(|publisher| {
        spawn(&hub, &clients[0], move |hub, _| {
            for (number, topic) in ["a", "b", "a"].into_iter().enumerate() {
                assert_eq!(publish(hub, (publisher, topic, number as u8)), 2);
            }
        })
    });
    publishers.into_iter().for_each(join);
    for client in &clients {
        for publisher in [0, 1] {
            let heard = client.heard().into_iter().filter(|event| event.0 == publisher);
            assert!(heard.map(|event| event.2).eq([0, 1, 2]), "in the order of publication");
        }
    }
    let on_a =
        |client: &Client| client.heard().into_iter().filter(|event| event.1 == "a").collect::<Vec<_>>();
    assert_eq!(on_a(&clients[0]), on_a(&clients[1]));
    for client in &clients {
        assert_eq!(hub.leave(client).len(), 2);
    }
    assert_empty(&hub, &[&clients[0], &clients[1]]);
}

#[test]
fn publications_keep_their_order() {
    explore(publish_publish);
}

/// A client leaves while it subscribes and somebody publishes. A subscription that was made is
/// ended by the leaving, one that comes later fails, and once the client has left, nothing more is
/// queued to it.
fn subscribe_publish_close() {
    let hub = Arc::new(Hub::new());
    let client = Client::new(1);
    let subscriber =
        spawn(&hub, &client, |hub, client| ["a", "b"].map(|topic| hub.subscribe(topic, client, ANY)));
    let publisher = spawn(&hub, &client, |hub, _| (0..3).for_each(|n| _ = publish(hub, (0, "a", n))));
    let closer = spawn(&hub, &client, |hub, client| {
        let left = hub.leave(client).len();
        assert_eq!(hub.subscribe("c", client, ANY), Err(NotSubscribed::Closing));
        (left, client.heard())
    });
    let made = join(subscriber);
    let (left, heard) = join(closer);
    join(publisher);
    assert_eq!(made.iter().filter(|made| **made == Ok(true)).count(), left);
    assert!(made.iter().all(|made| matches!(made, Ok(true) | Err(NotSubscribed::Closing))));
    assert_eq!(client.heard(), heard, "nothing is queued once the client has left");
    assert!(heard.windows(2).all(|pair| pair[0].2 + 1 == pair[1].2), "without a gap");
    assert_empty(&hub, &[&client]);
}

#[test]
fn a_subscribe_that_races_the_close_fails_or_is_cleaned_up() {
    explore(subscribe_publish_close);
}

/// The last member leaves a topic while another comes: a subscription that was made is found by
/// whoever publishes after it, and there is never a second topic of the same name.
fn forget_subscribe() {
    let hub = Arc::new(Hub::new());
    let (leaving, coming, passing) = (Client::new(1), Client::new(2), Client::new(3));
    assert_eq!(hub.subscribe("a", &leaving, ANY), Ok(true));
    let threads = [
        spawn(&hub, &leaving, |hub, client| assert!(hub.unsubscribe("a", client).is_some())),
        spawn(&hub, &coming, |hub, client| {
            assert_eq!(hub.subscribe("a", client, ANY), Ok(true));
            assert!(publish(hub, (0, "a", 0)) >= 1);
            assert!(client.heard().contains(&(0, "a", 0)), "a subscriber hears what comes after");
        }),
        spawn(&hub, &passing, |hub, client| {
            for _ in 0..2 {
                assert_eq!(hub.subscribe("a", client, 1), Ok(true), "what was ended counts no more");
                assert!(hub.unsubscribe("a", client).is_some());
            }
        }),
    ];
    threads.into_iter().for_each(join);
    assert_eq!(hub.topics(), 1);
    assert_eq!(hub.count("a"), 1);
    assert!(hub.has("a", 2));
    assert_eq!(hub.leave(&coming).len(), 1);
    assert_empty(&hub, &[&leaving, &coming, &passing]);
}

#[test]
fn a_topic_that_empties_loses_no_subscriber() {
    explore(forget_subscribe);
}

/// The smallest of these: one leaves, one comes.
fn last_leaves_first_comes() {
    let hub = Arc::new(Hub::new());
    let (leaving, coming) = (Client::new(1), Client::new(2));
    assert_eq!(hub.subscribe("a", &leaving, ANY), Ok(true));
    let left = spawn(&hub, &leaving, |hub, client| assert!(hub.unsubscribe("a", client).is_some()));
    assert_eq!(hub.subscribe("a", &coming, ANY), Ok(true));
    join(left);
    assert_eq!(publish(&hub, (0, "a", 0)), 1);
    assert!(hub.unsubscribe("a", &coming).is_some());
    assert_empty(&hub, &[&leaving, &coming]);
}

#[test]
fn a_topic_that_empties_loses_no_subscriber_under_any_schedule() {
    shuttle::check_dfs(last_leaves_first_comes, None);
}

/// The application unsubscribes a client that is leaving: each subscription is ended once, by one
/// of them.
fn unsubscribe_leave() {
    let hub = Arc::new(Hub::new());
    let client = Client::new(1);
    assert_eq!(hub.subscribe("a", &client, ANY), Ok(true));
    assert_eq!(hub.subscribe("b", &client, ANY), Ok(true));
    let unsubscribed = spawn(&hub, &client, |hub, client| hub.unsubscribe("a", client).is_some());
    let subscribed = spawn(&hub, &client, |hub, client| hub.subscribe("a", client, ANY) == Ok(true));
    let left = hub.leave(&client).len();
    let made = 2 + usize::from(join(subscribed));
    assert_eq!(usize::from(join(unsubscribed)) + left, made, "each subscription is ended once");
    assert_empty(&hub, &[&client]);
}

#[test]
fn each_subscription_is_ended_once() {
    explore(unsubscribe_leave);
}

/// Two subscribe the same client, which may have one subscription.
fn limit() {
    let hub = Arc::new(Hub::new());
    let client = Client::new(1);
    let other = spawn(&hub, &client, |hub, client| hub.subscribe("a", client, 1));
    let own = hub.subscribe("b", &client, 1);
    let mut made = [join(other), own];
    made.sort_by_key(Result::is_err);
    assert_eq!(made, [Ok(true), Err(NotSubscribed::TooMany(1))]);
    assert_eq!(hub.topics(), 1, "the topic of the one that failed is forgotten");
    assert_eq!(hub.leave(&client).len(), 1);
    assert_empty(&hub, &[&client]);
}

#[test]
fn a_limit_holds_however_many_subscribe() {
    explore(limit);
}

/// Members come while an audience is served: who is excluded never hears, and of those who are
/// eligible only members do.
fn audience() {
    let hub = Arc::new(Hub::new());
    let clients = [Client::new(1), Client::new(2), Client::new(3)];
    let members =
        clients.each_ref().map(|client| spawn(&hub, client, |hub, client| hub.subscribe("a", client, ANY)));
    let but_one = Audience::everyone_but(1);
    let one_of = Audience { eligible: Some([2].into_iter().collect()), ..but_one.clone() };
    let receivers = [
        hub.publish("a", &but_one, &mut Fanout((0, "a", 0))),
        hub.publish("a", &one_of, &mut Fanout((0, "a", 1))),
    ];
    members.into_iter().for_each(|member| assert_eq!(join(member), Ok(true)));
    let heard = clients.each_ref().map(|client| client.heard());
    assert!(heard[0].is_empty());
    assert!(heard[2].iter().all(|event| event.2 == 0));
    assert_eq!(heard.iter().map(Vec::len).sum::<usize>(), receivers.iter().sum::<usize>());
    clients.iter().for_each(|client| assert_eq!(hub.leave(client).len(), 1));
    assert_empty(&hub, &[&clients[0], &clients[1], &clients[2]]);
}

#[test]
fn an_audience_holds_while_members_come() {
    explore(audience);
}
