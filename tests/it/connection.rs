//! Lost, silent and lying connections.

#[test]
fn placeholder() {}
