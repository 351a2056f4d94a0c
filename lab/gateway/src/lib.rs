//! Home routers for the simulated internet: the gateway's side of PCP (RFC 6887), NAT-PMP
//! (RFC 6886) and UPnP IGD, spoken correctly, partly and wrongly.
