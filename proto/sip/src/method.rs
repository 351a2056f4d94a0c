//! Methods (RFC 3261 §7.1 and its extensions). Case-sensitive.

use std::fmt;
use std::str::FromStr;

use crate::text;

macro_rules! methods {
    ($($variant:ident $name:literal $doc:literal;)*) => {
        /// What a request asks for.
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Method {
            $(#[doc = $doc] $variant,)*
            /// A token that is none of the above.
            Extension(String),
        }

        impl Method {
            /// The methods with a name of their own here.
            pub const KNOWN: &[Self] = &[$(Self::$variant),*];

            /// The method as it stands on the wire.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $name,)*
                    Self::Extension(name) => name,
                }
            }
        }

        impl FromStr for Method {
            type Err = NotAMethod;
            fn from_str(text: &str) -> Result<Self, NotAMethod> {
                match text {
                    $($name => Ok(Self::$variant),)*
                    _ if text::is_token(text) => Ok(Self::Extension(text.to_owned())),
                    _ => Err(NotAMethod),
                }
            }
        }
    };
}

methods! {
    Invite "INVITE" "Opens a session, or changes one (RFC 3261 §13, §14).";
    Ack "ACK" "Acknowledges the final response to an INVITE; never answered.";
    Bye "BYE" "Ends a session (RFC 3261 §15).";
    Cancel "CANCEL" "Gives up a pending request (RFC 3261 §9).";
    Options "OPTIONS" "Asks for capabilities (RFC 3261 §11).";
    Register "REGISTER" "Binds an address of record to contacts (RFC 3261 §10).";
    Prack "PRACK" "Acknowledges a provisional response (RFC 3262).";
    Subscribe "SUBSCRIBE" "Asks for notifications (RFC 6665).";
    Notify "NOTIFY" "Notifies (RFC 6665).";
    Publish "PUBLISH" "Publishes event state (RFC 3903).";
    Info "INFO" "Carries application data inside a dialog (RFC 6086).";
    Refer "REFER" "Asks to contact a third party (RFC 3515).";
    Message "MESSAGE" "An instant message (RFC 3428).";
    Update "UPDATE" "Changes a session before it is answered (RFC 3311).";
}

/// The text is not a token, hence no method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a method")]
pub struct NotAMethod;

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::Method;

    #[test]
    fn known_methods_round_trip_and_case_matters() {
        for method in Method::KNOWN {
            assert_eq!(method.as_str().parse(), Ok(method.clone()));
        }
        assert_eq!("invite".parse(), Ok(Method::Extension("invite".into())));
        assert!("IN VITE".parse::<Method>().is_err());
        assert!("".parse::<Method>().is_err());
    }
}
