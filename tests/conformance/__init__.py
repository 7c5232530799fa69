"""What Django REST Framework and simplejwt answer, recorded, and replayed against our gateway."""
