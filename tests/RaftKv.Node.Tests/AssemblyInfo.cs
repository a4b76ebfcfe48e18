// Each test may run three nodes: two such tests at once on two cores would measure the machine, not the nodes.
[assembly: CollectionBehavior(DisableTestParallelization = true)]
