//! UPnP Internet Gateway Device, versions 1 and 2.
