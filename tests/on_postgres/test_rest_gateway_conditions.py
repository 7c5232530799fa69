from tests.rest_gateway.test_conditions import *
