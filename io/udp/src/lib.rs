//! UDP sockets with source addresses and segmentation.
