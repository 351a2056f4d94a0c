//! Values that the libraries read well and complain of badly: here errors say what form to write.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};
use toml::Value;

/// A list.
pub fn list<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Vec<T>, D::Error> {
    from.deserialize_seq(List(PhantomData))
}

struct List<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for List<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list in brackets: [first, second]")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Vec<T>, A::Error> {
        let mut list = Vec::new();
        while let Some(element) = from.next_element()? {
            list.push(element);
        }
        Ok(list)
    }
}

/// An address with a port.
pub fn socket_address<'de, D>(from: D) -> Result<Option<SocketAddr>, D::Error>
where
    D: Deserializer<'de>,
{
    parse(&Value::deserialize(from)?, "address with a port: write \"127.0.0.1:9464\"").map(Some)
}

/// A list of addresses.
pub fn addresses<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<IpAddr>, D::Error> {
    list::<D, Value>(from)?
        .iter()
        .map(|value| parse(value, "address: write \"192.0.2.1\""))
        .collect()
}

/// Addresses and what the world sees of them.
pub fn address_pairs<'de, D>(from: D) -> Result<BTreeMap<IpAddr, IpAddr>, D::Error>
where
    D: Deserializer<'de>,
{
    let form = "address: write \"10.0.0.5\" = \"203.0.113.7\"";
    let pair =
        |(inside, outside)| Ok((parse(&Value::String(inside), form)?, parse(&outside, form)?));
    BTreeMap::<String, Value>::deserialize(from)?.into_iter().map(pair).collect()
}

fn parse<T: FromStr, E: Error>(value: &Value, form: &str) -> Result<T, E> {
    let parsed = value.as_str().and_then(|text| text.parse().ok());
    parsed.ok_or_else(|| E::custom(format_args!("{value} is no {form}")))
}
