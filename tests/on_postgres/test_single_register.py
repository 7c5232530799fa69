from tests.linearizability.test_single_register import *
