from tests.taskbeam.commands.test_accounts import *
