//! Get me a path: gathering, demultiplexing and one pacer over ICE agents.
