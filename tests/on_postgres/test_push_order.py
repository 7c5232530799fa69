from tests.e2e.test_push_order import *
