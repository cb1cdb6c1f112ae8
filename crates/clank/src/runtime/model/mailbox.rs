//! A worker's letter box: what is sent is taken, however sending and looking fall together.

use std::sync::Arc;
use std::time::Duration;

use shuttle::thread;

use super::explore;
use crate::runtime::{Command, Mailbox, Token};

/// Two send while the worker looks, whenever it may not sleep or its poll tells it to: nothing is
/// left behind, and the order of each is kept.
fn send_take() {
    let mut poll = mio::Poll::new().unwrap();
    let mailbox = Arc::new(Mailbox::new(poll.registry(), Token::MAILBOX).unwrap());
    let senders = [0_usize, 1].map(|sender| {
        let mailbox = Arc::clone(&mailbox);
        thread::spawn(move || {
            for number in 0..2 {
                mailbox.send(Command::Drain { window: (sender * 2 + number) as u64 });
            }
        })
    });
    let mut events = mio::Events::with_capacity(4);
    let mut taken = Vec::new();
    let mut asleep = false;
    let mut look = |taken: &mut Vec<u64>| {
        // A worker that sleeps does so until it is told.
        asleep = asleep || mailbox.sleep();
        poll.poll(&mut events, Some(Duration::ZERO)).unwrap();
        let looks = !asleep || !events.is_empty();
        if looks {
            asleep = false;
            taken.extend(mailbox.take(Vec::new()).into_iter().map(|command| match command {
                Command::Drain { window } => window,
                _ => panic!("nobody sent this"),
            }));
        }
        looks
    };
    for _ in 0..4 {
        look(&mut taken);
        thread::yield_now();
    }
    senders.into_iter().for_each(|sender| sender.join().unwrap());
    while look(&mut taken) {}
    let of = |first: u64| taken.iter().copied().filter(move |number| number / 2 == first);
    assert!(of(0).eq([0, 1]) && of(1).eq([2, 3]), "{taken:?}");
}

#[test]
fn nothing_sent_is_left_behind() {
    explore(send_take);
}
