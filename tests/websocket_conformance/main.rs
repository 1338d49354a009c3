//! What a client may send and what comes of it, in the groups of the Autobahn test suite, with the close codes and
//! texts of npm's `ws`. Each case is data: the frames sent, what is heard, and the error that ends it, if any.
//!
//! Every case runs whole, byte by byte, in odd pieces, and cut in two at each place.

mod check;
#[path = "../client_frame/mod.rs"]
mod client_frame;
mod compression;
mod fragments;
mod frames;
mod limits;
mod text_and_close;
