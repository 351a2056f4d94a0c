//! What joins the whole: the shape, conformance, interop, and the rules of the house.
