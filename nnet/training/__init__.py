"""What training needs: optimisers, schedules, checkpoints, records, the lock of an experiment."""
