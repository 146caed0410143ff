//! Tests of several files together.
