//! What happens while instances are made: start functions, segments, traps and calls.
