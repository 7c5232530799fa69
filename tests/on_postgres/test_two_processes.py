from tests.e2e.test_two_processes import *
