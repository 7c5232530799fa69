from tests.linearizability.test_simultaneous_writers import *
