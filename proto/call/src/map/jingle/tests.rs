//! Description to Jingle and back, and Jingle as other programs write it.
