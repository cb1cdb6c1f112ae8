//! Messages in each serializer, as other libraries write and read them.
#![allow(dead_code)]

use clank_wire::serializer::Serializer;
use clank_wire::wamp2::{ClientMessage, Malformed, RouterMessage};
use serde_json::Value;

pub(crate) fn encoded(value: &Value, serializer: Serializer) -> Vec<u8> {
    match serializer {
        Serializer::Json => serde_json::to_vec(value).unwrap(),
        Serializer::MessagePack => rmp_serde::to_vec_named(value).unwrap(),
        Serializer::Cbor => {
            let mut out = Vec::new();
            ciborium::into_writer(value, &mut out).unwrap();
            out
        }
    }
}

pub(crate) fn decoded(bytes: &[u8], serializer: Serializer) -> Value {
    match serializer {
        Serializer::Json => serde_json::from_slice(bytes).unwrap(),
        Serializer::MessagePack => rmp_serde::from_slice(bytes).unwrap(),
        Serializer::Cbor => ciborium::from_reader(bytes).unwrap(),
    }
}

/// One side's messages.
pub(crate) trait Message<'a>: Sized + PartialEq + std::fmt::Debug {
    fn read(serializer: Serializer, bytes: &'a [u8]) -> Result<Self, Malformed>;
    fn write(&self, serializer: Serializer) -> Vec<u8>;
}

impl<'a> Message<'a> for ClientMessage<'a> {
    fn read(serializer: Serializer, bytes: &'a [u8]) -> Result<Self, Malformed> {
        ClientMessage::decode(serializer, bytes)
    }

    fn write(&self, serializer: Serializer) -> Vec<u8> {
        let mut out = Vec::new();
        self.encode(serializer, &mut out);
        out
    }
}

impl<'a> Message<'a> for RouterMessage<'a> {
    fn read(serializer: Serializer, bytes: &'a [u8]) -> Result<Self, Malformed> {
        RouterMessage::decode(serializer, bytes)
    }

    fn write(&self, serializer: Serializer) -> Vec<u8> {
        let mut out = Vec::new();
        self.encode(serializer, &mut out);
        out
    }
}
