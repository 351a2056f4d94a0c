//! One session description, the call machine, media in and out.
