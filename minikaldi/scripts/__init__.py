"""What stands behind utils/ and steps/data/; standard library only, for users call these in any environment."""
