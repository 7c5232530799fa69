from tests.failures.test_orderly_stop import *
