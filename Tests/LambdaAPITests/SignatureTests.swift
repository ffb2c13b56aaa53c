// Signatures of AWS's clients.

import Testing
