//! Names of header fields (RFC 3261 §20 and its extensions), in their long form.

use std::borrow::Cow;

macro_rules! names {
    ($($constant:ident $name:literal;)*) => {
        $(#[doc = concat!("`", $name, "`")]
        pub const $constant: &str = $name;)*

        /// The long form in customary spelling, if the name is known.
        fn known(name: &str) -> Option<&'static str> {
            const ALL: &[&str] = &[$($name),*];
            ALL.iter().find(|n| n.eq_ignore_ascii_case(name)).copied()
        }
    };
}

names! {
    VIA "Via";
    FROM "From";
    TO "To";
    CALL_ID "Call-ID";
    CSEQ "CSeq";
    CONTACT "Contact";
    MAX_FORWARDS "Max-Forwards";
    ROUTE "Route";
    RECORD_ROUTE "Record-Route";
    CONTENT_LENGTH "Content-Length";
    CONTENT_TYPE "Content-Type";
    AUTHORIZATION "Authorization";
    WWW_AUTHENTICATE "WWW-Authenticate";
    PROXY_AUTHORIZATION "Proxy-Authorization";
    PROXY_AUTHENTICATE "Proxy-Authenticate";
    AUTHENTICATION_INFO "Authentication-Info";
    PROXY_AUTHENTICATION_INFO "Proxy-Authentication-Info";
    EXPIRES "Expires";
    MIN_EXPIRES "Min-Expires";
    ALLOW "Allow";
    SUPPORTED "Supported";
    REQUIRE "Require";
    PROXY_REQUIRE "Proxy-Require";
    UNSUPPORTED "Unsupported";
    USER_AGENT "User-Agent";
    SERVER "Server";
    DATE "Date";
    RETRY_AFTER "Retry-After";
    REASON "Reason";
    PATH "Path";
    SERVICE_ROUTE "Service-Route";
    FLOW_TIMER "Flow-Timer";
    TIMESTAMP "Timestamp";
    WARNING "Warning";
    SUBJECT "Subject";
    ACCEPT "Accept";
    ACCEPT_ENCODING "Accept-Encoding";
    ACCEPT_LANGUAGE "Accept-Language";
    ALERT_INFO "Alert-Info";
    ALLOW_EVENTS "Allow-Events";
    CALL_INFO "Call-Info";
    CONTENT_DISPOSITION "Content-Disposition";
    CONTENT_ENCODING "Content-Encoding";
    CONTENT_LANGUAGE "Content-Language";
    ERROR_INFO "Error-Info";
    EVENT "Event";
    HISTORY_INFO "History-Info";
    IDENTITY "Identity";
    IN_REPLY_TO "In-Reply-To";
    MIME_VERSION "MIME-Version";
    MIN_SE "Min-SE";
    ORGANIZATION "Organization";
    P_ASSERTED_IDENTITY "P-Asserted-Identity";
    PRIORITY "Priority";
    RACK "RAck";
    REFER_TO "Refer-To";
    REFERRED_BY "Referred-By";
    REPLACES "Replaces";
    REPLY_TO "Reply-To";
    RSEQ "RSeq";
    SESSION_EXPIRES "Session-Expires";
    SUBSCRIPTION_STATE "Subscription-State";
    ACCEPT_CONTACT "Accept-Contact";
    REJECT_CONTACT "Reject-Contact";
    REQUEST_DISPOSITION "Request-Disposition";
}

/// The name that a compact form stands for (RFC 3261 §7.3.3 and the registry).
fn long_form(letter: u8) -> Option<&'static str> {
    Some(match letter.to_ascii_lowercase() {
        b'a' => ACCEPT_CONTACT,
        b'b' => REFERRED_BY,
        b'c' => CONTENT_TYPE,
        b'd' => REQUEST_DISPOSITION,
        b'e' => CONTENT_ENCODING,
        b'f' => FROM,
        b'i' => CALL_ID,
        b'j' => REJECT_CONTACT,
        b'k' => SUPPORTED,
        b'l' => CONTENT_LENGTH,
        b'm' => CONTACT,
        b'o' => EVENT,
        b'r' => REFER_TO,
        b's' => SUBJECT,
        b't' => TO,
        b'u' => ALLOW_EVENTS,
        b'v' => VIA,
        b'x' => SESSION_EXPIRES,
        b'y' => IDENTITY,
        _ => return None,
    })
}

/// The long form of a compact name; any other as it is.
pub(crate) fn long(name: &str) -> &str {
    match name.as_bytes() {
        [letter] => long_form(*letter).unwrap_or(name),
        _ => name,
    }
}

/// The long form in customary spelling; an unknown name as it is.
pub(crate) fn canonical(name: &str) -> Cow<'static, str> {
    let long = match name.as_bytes() {
        [letter] => long_form(*letter),
        _ => known(name),
    };
    long.map_or_else(|| Cow::Owned(name.to_owned()), Cow::Borrowed)
}

/// Whether a field called `name` (in long form) holds a list separated by commas, so that several
/// fields are the same as one.
pub(crate) fn is_list(name: &str) -> bool {
    const LISTS: &[&str] = &[
        VIA,
        CONTACT,
        ROUTE,
        RECORD_ROUTE,
        PATH,
        SERVICE_ROUTE,
        ALLOW,
        SUPPORTED,
        REQUIRE,
        PROXY_REQUIRE,
        UNSUPPORTED,
        REASON,
        WARNING,
        ACCEPT,
        ACCEPT_ENCODING,
        ACCEPT_LANGUAGE,
        ALERT_INFO,
        ALLOW_EVENTS,
        CALL_INFO,
        CONTENT_ENCODING,
        CONTENT_LANGUAGE,
        ERROR_INFO,
        HISTORY_INFO,
        IN_REPLY_TO,
        P_ASSERTED_IDENTITY,
        ACCEPT_CONTACT,
        REJECT_CONTACT,
    ];
    LISTS.iter().any(|n| n.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::{canonical, is_list};

    #[test]
    fn compact_forms_and_case() {
        assert_eq!(canonical("v"), "Via");
        assert_eq!(canonical("I"), "Call-ID");
        assert_eq!(canonical("cONTENT-lENGTH"), "Content-Length");
        assert_eq!(canonical("X-Own"), "X-Own");
        assert_eq!(canonical("z"), "z");
        assert!(is_list("via") && !is_list("Date"));
    }
}
