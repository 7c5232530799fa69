from tests.taskbeam.commands.test_database import *
