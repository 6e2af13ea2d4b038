package status

// Keys of the history of runs, which the commands of the nodes write.

// PlanKey is the hash of what is added to a schedule of NethServer 8.
func PlanKey(id string) string { return "cluster/backup_plan/" + id }

// HistoryKey is the stream of what the runs of a module by a schedule came to.
func HistoryKey(node, schedule, module string) string {
	return "node/" + node + "/backup_history/" + schedule + "/" + module
}

// LastRunsKey is the hash of the last runs by a schedule.
func LastRunsKey(node, schedule string) string { return "node/" + node + "/backup_last/" + schedule }
