// The product as its users have it: the built binary, its command line, its HTTP doors, its files. Nothing here reaches
// into a room. Tests of one room are in that room's folder.

import Foundation
import ServerSupport
import TestSupport
import Testing

/// All end-to-end tests, one after the other: each has a server of its own, and what it sees of time and memory would
/// be disturbed by the others.
@Suite(.serialized) enum EndToEnd {}
