from tests.rest_gateway.test_list import *
