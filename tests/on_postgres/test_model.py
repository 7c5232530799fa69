from tests.model.test_model import *
