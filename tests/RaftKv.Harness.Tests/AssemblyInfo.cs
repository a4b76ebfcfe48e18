[assembly: CollectionBehavior(DisableTestParallelization = true)] // Clusters of real processes: one at a time is enough for two cores.
