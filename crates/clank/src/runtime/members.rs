//! A topic's members, in one part or, where they are very many, in several: what is published to
//! thousands is handed out a part at a time, with other work in between.

use std::sync::Arc;

use clank_core::subscription::{Audience, Deliver, Subscription};

use super::hub::Member;

/// Members beyond which a topic is divided.
const MANY: usize = 1_024;
/// Parts of a topic that is divided.
const PARTS: usize = 128;
/// Members that are enough for one turn, which takes some 15 µs to queue something for each of them.
const ENOUGH: usize = 128;

/// A topic's members.
pub(super) struct Members<M> {
    first: Subscription<Arc<M>>,
    /// The other parts, if it is divided; a member's number says in which it is.
    others: Box<[Subscription<Arc<M>>]>,
    /// Publications that are being handed out part by part: meanwhile no member changes its part.
    walks: usize,
}

impl<M: Member> Members<M> {
    pub(super) fn new() -> Self {
        Self { first: Subscription::new(), others: Box::default(), walks: 0 }
    }

    pub(super) fn add(&mut self, member: Arc<M>) {
        if self.others.is_empty() && self.first.count() >= MANY && self.walks == 0 {
            self.divide();
        }
        let part = self.part_of(member.id());
        if let Some(part) = self.part_mut(part) {
            part.add(member.id(), member);
        }
    }

    pub(super) fn remove(&mut self, id: u64) -> bool {
        let part = self.part_of(id);
        self.part_mut(part).is_some_and(|part| part.remove(id).is_some())
    }

    pub(super) fn has(&self, id: u64) -> bool {
        self.part(self.part_of(id)).is_some_and(|part| part.has(id))
    }

    pub(super) fn count(&self) -> usize {
        self.parts().map(Subscription::count).sum()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.parts().all(Subscription::is_empty)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<M>> {
        self.parts().flat_map(|part| part.members().map(|(_, member)| member))
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = u64> {
        self.parts().flat_map(|part| part.members().map(|(id, _)| id))
    }

    /// Hands what is published to everybody in the audience; returns how many they are.
    pub(super) fn publish(&self, audience: &Audience, out: &mut impl Deliver<Arc<M>>) -> usize {
        self.parts().map(|part| part.publish(audience, out)).sum()
    }

    /// Hands what is published to those in the part with this number, and in the next ones until they are
    /// enough for one turn. Returns with which part to go on; `None`: that was all.
    pub(super) fn publish_some(
        &self,
        from: usize,
        audience: &Audience,
        out: &mut impl Deliver<Arc<M>>,
    ) -> Option<usize> {
        let mut members = 0;
        for (number, part) in self.parts().enumerate().skip(from) {
            if members >= ENOUGH {
                return Some(number);
            }
            part.publish(audience, out);
            members += part.count();
        }
        None
    }

    /// Whether it is divided.
    pub(super) fn is_divided(&self) -> bool {
        !self.others.is_empty()
    }

    /// A publication begins to be handed out part by part.
    pub(super) fn begin_walk(&mut self) {
        self.walks += 1;
    }

    /// It has been handed out, or given up.
    pub(super) fn end_walk(&mut self) {
        self.walks -= 1;
    }

    fn divide(&mut self) {
        let all = std::mem::take(&mut self.first);
        self.others = (1..PARTS).map(|_| Subscription::new()).collect();
        for (id, member) in all.members() {
            let part = self.part_of(id);
            if let Some(part) = self.part_mut(part) {
                part.add(id, Arc::clone(member));
            }
        }
    }

    fn part_of(&self, id: u64) -> usize {
        // Connections get their numbers in order, so that the parts are of one size.
        (id % (self.others.len() as u64 + 1)) as usize
    }

    fn part(&self, part: usize) -> Option<&Subscription<Arc<M>>> {
        self.parts().nth(part)
    }

    fn part_mut(&mut self, part: usize) -> Option<&mut Subscription<Arc<M>>> {
        match part.checked_sub(1) {
            None => Some(&mut self.first),
            Some(other) => self.others.get_mut(other),
        }
    }

    fn parts(&self) -> impl Iterator<Item = &Subscription<Arc<M>>> {
        std::iter::once(&self.first).chain(&self.others)
    }
}

#[cfg(all(test, not(feature = "shuttle")))]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::super::hub::Held;
    use super::super::sync::Mutex;
    use super::*;

    struct Number(u64, Mutex<Held<Self>>);

    impl Member for Number {
        fn id(&self) -> u64 {
            self.0
        }

        fn held(&self) -> &Mutex<Held<Self>> {
            &self.1
        }
    }

    #[derive(Default)]
    struct Heard(BTreeMap<u64, usize>);

    impl Deliver<Arc<Number>> for Heard {
        fn deliver(&mut self, id: u64, _: &Arc<Number>) {
            *self.0.entry(id).or_default() += 1;
        }
    }

    fn members(ids: impl Iterator<Item = u64>) -> Members<Number> {
        let mut members = Members::new();
        ids.for_each(|id| members.add(Arc::new(Number(id, Mutex::default()))));
        members
    }

    #[test]
    fn few_are_not_divided_and_many_are() {
        let few = members(0..MANY as u64);
        assert!(!few.is_divided());
        let many = members(0..=MANY as u64);
        assert!(many.is_divided());
        assert_eq!((many.count(), many.iter().count()), (MANY + 1, MANY + 1));
        assert!((0..=MANY as u64).all(|id| many.has(id)) && !many.has(MANY as u64 + 1));
        let mut heard = Heard::default();
        assert_eq!(many.publish(&Audience::everyone_but(7), &mut heard), MANY);
        assert!(!heard.0.contains_key(&7) && heard.0.values().all(|times| *times == 1));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        /// Who was there all the time hears it once, who came or went at most once.
        #[test]
        fn all_hear_once_whoever_comes_and_goes_meanwhile(
            changes in prop::collection::vec((0..PARTS, any::<bool>(), 0..4_000_u64), 0..60),
        ) {
            let mut members = members(0..2_000);
            members.begin_walk();
            let mut heard = Heard::default();
            let (mut next, mut turns) = (Some(0), 0);
            while let Some(from) = next {
                next = members.publish_some(from, &Audience::everyone(), &mut heard);
                let passed = from..next.unwrap_or(PARTS);
                for (_, comes, id) in changes.iter().filter(|(at, ..)| passed.contains(at)) {
                    match comes {
                        true if !members.has(*id) => members.add(Arc::new(Number(*id, Mutex::default()))),
                        true => {}
                        false => _ = members.remove(*id),
                    }
                }
                turns += 1;
            }
            members.end_walk();
            prop_assert!((2_000 / (2 * ENOUGH)..=2_060 / ENOUGH + 1).contains(&turns), "{} turns", turns);
            let touched = |id: &u64| changes.iter().any(|(_, _, touched)| touched == id);
            for id in (0..2_000).filter(|id| !touched(id)) {
                prop_assert_eq!(heard.0.get(&id), Some(&1));
            }
            // One that left and came back is another subscription of the same connection.
            prop_assert!(heard.0.iter().all(|(id, times)| *times == 1 || touched(id)));
        }
    }
}
