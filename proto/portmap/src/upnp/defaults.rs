//! Limits and timeouts of UPnP, each with its reason.

use std::time::Duration;

/// The longest search or answer of SSDP that is read. They travel in one datagram over a link, and
/// a description's address and a few names take less than 1 KiB.
pub const SSDP_BYTES: usize = 2048;

/// The longest head of an HTTP message: a router's has a few hundred bytes.
pub const HTTP_HEAD_BYTES: usize = 8 * 1024;

/// The longest body of an HTTP message. Descriptions of routers have 2 to 20 KiB; what sends more is
/// not a gateway, or not a friendly one.
pub const HTTP_BODY_BYTES: usize = 64 * 1024;

/// The longest line of a chunk's size: eight digits and extensions that nobody sends.
pub const HTTP_CHUNK_LINE_BYTES: usize = 256;

/// The most fields of an HTTP head: routers send about ten.
pub const HTTP_FIELDS: usize = 64;

/// The longest address of a description or a service: routers' have below 100 bytes.
pub const URL_BYTES: usize = 1024;

/// How much of a stranger's text an error shows: one line of it.
pub const SHOWN_CHARS: usize = 100;

/// The longest name or value in XML: service types and addresses have below 200 bytes. Every element
/// keeps its namespace, so this times the elements bounds a document's size in memory.
pub const XML_TOKEN_BYTES: usize = 1024;

/// Elements in elements: the third device's service's address of a description lies eleven deep.
pub const XML_DEPTH: usize = 24;

/// The most elements of a document: a router's description has 100 to 400.
pub const XML_ELEMENTS: usize = 2048;

/// The most attributes of an element: UPnP needs three, all of them namespaces.
pub const XML_ATTRIBUTES: usize = 16;

/// The most arguments of an action: AddPortMapping has eight (WANIPConnection:2 §2.5.16).
pub const SOAP_ARGUMENTS: usize = 32;

/// The most gateways that are kept. A home has one or two; the rest of a link that answers is noise.
pub const GATEWAYS: usize = 8;

/// The most devices that are looked at in one search, whatever they say they are.
pub const CANDIDATES: usize = 16;

/// The most descriptions that one address may have looked at in one search: a router that offers
/// itself in both versions has two.
pub const CANDIDATES_OF_ONE: usize = 4;

/// The most connection services of one gateway that are asked whether they are connected: routers
/// with PPP and IP connections have two or three.
pub const CONNECTIONS: usize = 4;

/// The most calls that wait for one gateway; each is one mapping asked for or removed.
pub const CALLS: usize = 64;

/// The most mappings that are listed: small routers hold 32 to 128.
pub const LISTED: usize = 1024;

/// The most interfaces that are searched.
pub const INTERFACES: usize = 16;

/// How often another port is tried when one is taken; with random ports, one or two are enough.
pub const PORT_TRIES: u32 = 8;

/// MX of a search: answers come within this time (UDA 1.1 §1.3.2 allows 1 to 5 seconds). The shortest,
/// since few devices answer a search for gateways.
pub const SEARCH_MX_SECS: u8 = 1;

/// When a search is sent, from its beginning: UDA 1.1 §1.3.2 wants it more than once, since datagrams
/// are lost.
pub const SEARCH_TIMES: [Duration; 3] =
    [Duration::ZERO, Duration::from_millis(400), Duration::from_millis(1200)];

/// How long after its last sending a search takes answers: MX and a second for slow routers.
pub const SEARCH_TIME: Duration = Duration::from_millis(3200);

/// How long a router may take for one answer, connecting included. UDA 1.1 §3.2.3 allows an action 30
/// seconds; a person who waits for a call does not, and routers answer in milliseconds.
pub const EXCHANGE_TIME: Duration = Duration::from_secs(6);

/// How long reading a description and the answers after it may take in all: five exchanges, each a
/// connection of its own, on a radio that loses every tenth packet and with it a second each time. A
/// device that answers a byte at a time holds a search up for no longer.
pub const SURVEY_TIME: Duration = Duration::from_secs(15);

/// How many times in a row a gateway must be silent to be taken for gone: one silence is a lost
/// packet or a router that is busy with somebody else.
pub const SILENCES: u32 = 3;

/// How long after a silence a gateway is asked again: a router's server that restarts is back within
/// a few seconds.
pub const AGAIN: Duration = Duration::from_secs(4);

/// How long a call of several actions may take in all once its turn has come: mapping, with ports tried
/// one after the other, or a long list.
pub const CALL_TIME: Duration = Duration::from_secs(20);

/// How much less of an uptime is not taken for a restart: routers round.
pub const UPTIME_SLACK: Duration = Duration::from_secs(2);

/// The longest lease that is asked for (WANIPConnection:2 §2.3.8: a week).
pub const LEASE: Duration = Duration::from_secs(604_800);

/// The longest lease of a pinhole (WANIPv6FirewallControl:1 §2.3.4: a day).
pub const PINHOLE_LEASE: Duration = Duration::from_secs(86_400);
