//! A radix tree over bytes whose nodes are shared between its clones.
//!
//! Every node but the root has a value or more than one edge, so that there are less than twice as
//! many nodes as values. Nothing here recurses: a key of 64 KiB may have as many nodes on its way.

use std::mem;
use std::sync::Arc;

pub(super) struct Radix<T> {
    root: Arc<Node<T>>,
    count: usize,
}

#[derive(Clone)]
pub(super) struct Node<T> {
    /// What leads here from the node before. Only the root's is empty.
    label: Box<[u8]>,
    value: Option<T>,
    /// Where it goes on, by the first byte of the label there.
    edges: Vec<(u8, Arc<Node<T>>)>,
}

/// A place in the tree, which may lie within a label.
pub(super) struct Cursor<'t, T> {
    node: &'t Node<T>,
    /// What of the node's label has not been read.
    rest: &'t [u8],
}

/// The values of all keys that another key begins with, the shortest first.
pub(super) struct Prefixes<'t, 'k, T> {
    next: Option<(&'t Node<T>, &'k [u8])>,
}

impl<T> Radix<T> {
    pub(super) fn new() -> Self {
        Radix { root: Arc::new(Node { label: Box::default(), value: None, edges: Vec::new() }), count: 0 }
    }

    pub(super) const fn count(&self) -> usize {
        self.count
    }

    pub(super) fn root(&self) -> Cursor<'_, T> {
        Cursor { node: &self.root, rest: &[] }
    }

    pub(super) fn value(&self, key: &[u8]) -> Option<&T> {
        let (mut node, mut rest) = (&*self.root, key);
        while !rest.is_empty() {
            (node, rest) = node.child(rest)?;
        }
        node.value.as_ref()
    }

    pub(super) fn prefixes_of<'t, 'k>(&'t self, key: &'k [u8]) -> Prefixes<'t, 'k, T> {
        Prefixes { next: Some((&self.root, key)) }
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &T> {
        let mut waiting = vec![&*self.root];
        std::iter::from_fn(move || {
            let node = waiting.pop()?;
            waiting.extend(node.edges.iter().map(|(_, child)| &**child));
            Some(node.value.as_ref())
        })
        .flatten()
    }
}

impl<T: Clone> Radix<T> {
    pub(super) fn insert(&mut self, key: &[u8], value: T) -> Option<T> {
        let (mut node, mut rest) = (Arc::make_mut(&mut self.root), key);
        loop {
            let Some(first) = rest.first() else {
                let before = node.value.replace(value);
                self.count += usize::from(before.is_none());
                return before;
            };
            match node.edge(*first) {
                Ok(at) => {
                    let (_, child) = node.edges.get_mut(at)?;
                    let child = Arc::make_mut(child);
                    let common = common(&child.label, rest);
                    child.split(common);
                    rest = rest.get(common..)?;
                    node = child;
                }
                Err(at) => {
                    let leaf = Node { label: rest.into(), value: Some(value), edges: Vec::new() };
                    node.edges.insert(at, (*first, Arc::new(leaf)));
                    self.count += 1;
                    return None;
                }
            }
        }
    }

    pub(super) fn remove(&mut self, key: &[u8]) -> Option<T> {
        // Nothing is copied where there is nothing to remove.
        self.value(key)?;
        self.count -= 1;
        let (mut node, mut rest, mut is_root) = (Arc::make_mut(&mut self.root), key, true);
        loop {
            let Some(first) = rest.first() else { return node.value.take() };
            let at = node.edge(*first).ok()?;
            let (_, child) = node.edges.get_mut(at)?;
            let child = Arc::make_mut(child);
            if child.label.len() < rest.len() {
                rest = rest.get(child.label.len()..)?;
                node = node.edges.get_mut(at).map(|(_, child)| Arc::make_mut(child))?;
                is_root = false;
                continue;
            }
            let value = child.value.take();
            if child.edges.is_empty() {
                node.drop_edge(at);
                if !is_root {
                    node.join();
                }
            } else {
                child.join();
            }
            return value;
        }
    }
}

impl<T> Clone for Radix<T> {
    fn clone(&self) -> Self {
        Radix { root: Arc::clone(&self.root), count: self.count }
    }
}

impl<T> Node<T> {
    /// Where the edge is that begins with the byte, or would be.
    fn edge(&self, first: u8) -> Result<usize, usize> {
        self.edges.binary_search_by_key(&first, |(byte, _)| *byte)
    }

    /// The node that the beginning of the key leads to, and what is left of the key there.
    fn child<'k>(&self, key: &'k [u8]) -> Option<(&Node<T>, &'k [u8])> {
        let at = self.edge(*key.first()?).ok()?;
        let (_, child) = self.edges.get(at)?;
        Some((child, key.strip_prefix(&*child.label)?))
    }

    /// Puts a node in front whose label has that many bytes, unless they are all.
    fn split(&mut self, at: usize) {
        let Some((head, tail)) = self.label.split_at_checked(at) else { return };
        let Some(first) = tail.first().copied() else { return };
        let (head, label) = (head.into(), tail.into());
        let behind = Node { label, value: self.value.take(), edges: mem::take(&mut self.edges) };
        self.label = head;
        self.edges = vec![(first, Arc::new(behind))];
    }

    fn drop_edge(&mut self, at: usize) {
        self.edges.remove(at);
        if self.edges.len() < self.edges.capacity() / 4 {
            self.edges.shrink_to(2 * self.edges.len());
        }
    }
}

impl<T: Clone> Node<T> {
    /// Becomes one with the only node behind it, if it has no value of its own.
    fn join(&mut self) {
        if self.value.is_some() || self.edges.len() != 1 {
            return;
        }
        if let Some((_, behind)) = self.edges.pop() {
            let mut behind = Arc::unwrap_or_clone(behind);
            self.label = [&*self.label, &*behind.label].concat().into();
            self.value = behind.value.take();
            self.edges = mem::take(&mut behind.edges);
        }
    }
}

impl<T> Drop for Node<T> {
    /// Drops what hangs on the node one by one: a long chain would exhaust the stack.
    fn drop(&mut self) {
        let mut waiting = mem::take(&mut self.edges);
        while let Some((_, child)) = waiting.pop() {
            if let Some(mut child) = Arc::into_inner(child) {
                waiting.append(&mut child.edges);
            }
        }
    }
}

impl<T> Clone for Cursor<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Cursor<'_, T> {}

impl<'t, T> Cursor<'t, T> {
    /// The place that the bytes lead to.
    pub(super) fn follow(mut self, mut bytes: &[u8]) -> Option<Self> {
        while let Some(first) = bytes.first() {
            if self.rest.is_empty() {
                let (_, node) = self.node.edges.get(self.node.edge(*first).ok()?)?;
                self = Cursor { node, rest: &node.label };
            }
            let common = common(self.rest, bytes);
            if common == 0 {
                return None;
            }
            (self.rest, bytes) = (self.rest.get(common..)?, bytes.get(common..)?);
        }
        Some(self)
    }

    /// The value of the key that ends here.
    pub(super) fn value(self) -> Option<&'t T> {
        self.node.value.as_ref().filter(|_| self.rest.is_empty())
    }

    /// Whether there is no key at all; for the root.
    pub(super) fn is_barren(self) -> bool {
        self.node.value.is_none() && self.node.edges.is_empty()
    }
}

impl<'t, T> Iterator for Prefixes<'t, '_, T> {
    type Item = &'t T;

    fn next(&mut self) -> Option<&'t T> {
        while let Some((node, rest)) = self.next.take() {
            self.next = node.child(rest);
            if let Some(value) = &node.value {
                return Some(value);
            }
        }
        None
    }
}

/// How many bytes both begin with.
fn common(one: &[u8], other: &[u8]) -> usize {
    one.iter().zip(other).take_while(|(one, other)| one == other).count()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// As many nodes as the bytes of the longest key, one below the other, and little stack.
    #[test]
    fn a_chain_of_nodes_needs_no_stack() {
        let chain = || {
            let key = vec![b'a'; 1 << 12];
            let mut tree = Radix::new();
            for length in 0..key.len() {
                tree.insert(&key[..length], length);
            }
            let clone = tree.clone();
            assert_eq!(tree.prefixes_of(&key).count(), key.len());
            assert_eq!(tree.values().count(), key.len());
            assert_eq!(tree.remove(&key[..key.len() - 1]), Some(key.len() - 1));
            assert_eq!((tree.count(), clone.count()), (key.len() - 1, key.len()));
        };
        std::thread::Builder::new().stack_size(1 << 16).spawn(chain).unwrap().join().unwrap();
    }

    #[test]
    fn an_empty_tree_has_given_back_its_room() {
        let mut tree = Radix::new();
        let keys = ["", "a", "ab", "abc", "b", "ba", "bb", "bbb"];
        for (value, key) in keys.iter().enumerate() {
            assert_eq!(tree.insert(key.as_bytes(), value), None);
            assert_eq!(tree.insert(key.as_bytes(), value), Some(value));
        }
        for (value, key) in keys.iter().enumerate() {
            assert_eq!(tree.remove(key.as_bytes()), Some(value));
            assert_eq!(tree.remove(key.as_bytes()), None);
        }
        assert!(tree.root().is_barren());
        assert_eq!((tree.count(), tree.root.edges.capacity()), (0, 0));
    }
}
