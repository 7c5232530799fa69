from tests.rest_gateway.test_account import *
