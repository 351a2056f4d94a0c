//! SIP: messages, validation, transactions, dialogs, user agent, registrar, proxy.
