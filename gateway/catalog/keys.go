package catalog

// Keys of NethServer 8 that have one fixed name.
const (
	// RcloneConf is a hash from destination ID to the rclone section of that
	// destination. Only nodes may read it.
	RcloneConf = "private/nodes/backup_destination/rclone_conf"
	// ResticPassword is a hash from destination ID to the restic password of
	// that destination. Nodes and modules may read it.
	ResticPassword = "private/agents/backup_destination/restic_password"
	// ResticPasswordRotation is a hash from destination ID to both passwords of a
	// destination while they are changed, in JSON, an addition to NethServer 8's keys. Only
	// nodes may read it.
	ResticPasswordRotation = "private/nodes/backup_destination/restic_password_rotation"
	// ModulePassword is a hash from the UUID of a module to the restic password of its own
	// repositories, an addition to NethServer 8's keys: of those that have one, the password
	// of the destination opens none. Only nodes may read it; a module asks the gateway. It
	// outlives the module, as its backups do.
	ModulePassword = "private/nodes/backup_destination/module_password"
	// ModulePasswordRotation is a hash from the UUID of a module to both passwords of its
	// repositories while they are changed, in JSON, an addition to NethServer 8's keys: no old
	// one means that of each destination. Only nodes may read it.
	ModulePasswordRotation = "private/nodes/backup_destination/module_password_rotation"
	// RestoreUUID is a hash from the UUID of a restored module to the UUID of
	// the module it was restored from. Only nodes may read it.
	RestoreUUID = "private/nodes/restore_uuid"

	// BackupSequence is the counter that backup schedule IDs are taken from.
	BackupSequence = "cluster/backup_sequence"
	// ModuleUUID is a hash from module ID to module UUID.
	ModuleUUID = "cluster/module_uuid"
	// ModuleNode is a hash from module ID to the ID of the node it runs on.
	ModuleNode = "cluster/module_node"
	// ModulesElsewhere is a set of the modules, by their IDs, that are on a host of their own
	// and not on that of their node, an addition to NethServer 8's keys: the node does for
	// them what nodes do to repositories, and their host makes the backups.
	ModulesElsewhere = "cluster/module_elsewhere"
	// ACLs is the set of ACL LIST lines of the nodes' and modules' users.
	ACLs = "cluster/acls"
	// ClusterUUID is the cluster's UUID, a string.
	ClusterUUID = "cluster/uuid"
	// ClusterNetwork is the network the nodes' VPN addresses are in, in CIDR
	// notation, a string.
	ClusterNetwork = "cluster/network"
	// ChangesKey is a stream of what the administrator's commands changed, an addition
	// to NethServer 8's keys: time, who, from, what. Gateways write it into their audit
	// logs.
	ChangesKey = "cluster/backup_gateway_changes"
	// ClusterEnvironment is a hash; its field NODE_ID is the leader's node ID.
	ClusterEnvironment = "cluster/environment"
)

// Fields of hashes.
const (
	FieldNodeID    = "NODE_ID"    // of ClusterEnvironment
	FieldImageURL  = "IMAGE_URL"  // of ModuleEnvironmentKey
	FieldIPAddress = "ip_address" // of NodeVPNKey

	// Of DestinationKey.
	FieldURL      = "url"
	FieldName     = "name"
	FieldProvider = "provider"
	FieldBasePath = "basepath"

	// Of BackupKey.
	FieldRepository = "repository"
	FieldEnabled    = "enabled"
	FieldInstances  = "instances"
)

// FlagNoDataBackup is the member of ModuleFlagsKey that says that a module has
// no data to back up.
const FlagNoDataBackup = "no_data_backup"

// Event channels that the cluster publishes on.
const (
	// ChannelACLChanged says that ACLs was rewritten.
	ChannelACLChanged = "cluster/event/acl-changed"
	// ChannelDestinationChanged carries {"destination_ids":["…"]}.
	ChannelDestinationChanged = "cluster/event/backup-destination-changed"
	// ChannelScheduleChanged carries {"backup_ids":["1"]}.
	ChannelScheduleChanged = "cluster/event/backup-schedule-changed"
)

const destinationPrefix = "cluster/backup_repository/"

// DestinationKey is the hash url, name, provider, basepath of a destination.
func DestinationKey(id string) string { return destinationPrefix + id }

// LimitsKey is the hash of a destination's limits, an addition to NethServer 8's
// keys: the cluster writes it, nodes and modules may read it. Its fields are
// FieldUpload and those beside it; without the key nothing is limited. Whoever
// changes it publishes ChannelDestinationChanged.
func LimitsKey(id string) string { return "cluster/backup_repository_limits/" + id }

// AuditHeadKey is a hash, head and time, of the audit log of a node's gateway, an
// addition to NethServer 8's keys: the gateway writes it as the node's user.
func AuditHeadKey(node string) string { return "node/" + node + "/backup_gateway_audit" }

// GatewayKey is a hash of what the gateway of a node says of itself each minute, an
// addition to NethServer 8's keys: version, ready (1 or nothing), and in Unix time started,
// seen and loaded.
func GatewayKey(node string) string { return "node/" + node + "/backup_gateway" }

// AcknowledgedKey is a set of the snapshots, by their whole IDs, that somebody on a node
// has looked at and found in order, an addition to NethServer 8's keys.
func AcknowledgedKey(node string) string { return "node/" + node + "/backup_acknowledged" }

// FrozenKey is a hash of the repositories that were frozen and thawed on a node, an
// addition to NethServer 8's keys: "<destination>/<app>/<uuid>" to "frozen TIME WHO" or
// "thawed TIME WHO". Of all nodes, the latest counts. The gateway writes it as the node's
// user, and publishes ChannelFrozen.
func FrozenKey(node string) string { return "node/" + node + "/backup_frozen" }

// ChannelFrozen says that FrozenKey of that node changed.
func ChannelFrozen(node string) string { return "node/" + node + "/event/backup-frozen-changed" }

// BackupKey is the hash that describes a backup schedule: repository,
// retention, name, schedule, schedule_hint, enabled, instances, uinstances.
func BackupKey(id string) string { return "cluster/backup/" + id }

// LeaseKey is the last lease of a repository that the gateway of a node granted, in JSON, an
// addition to NethServer 8's keys. It outlives the lease, for what the run may have left
// behind.
func LeaseKey(node, destination, repository string) string {
	return "node/" + node + "/backup_lease/" + destination + "/" + repository
}

// LiveLeaseKey is the token of that lease, an addition to NethServer 8's keys. It expires
// with the lease.
func LiveLeaseKey(node, destination, repository string) string {
	return "node/" + node + "/backup_lease_live/" + destination + "/" + repository
}

// LeaseCountKey is the counter of the last lease that the gateway of a node granted, an
// addition to NethServer 8's keys.
func LeaseCountKey(node string) string { return "node/" + node + "/backup_lease_count" }

// PlanKey is the hash of what this program adds to a schedule, an addition to NethServer
// 8's keys: how long snapshots are kept, when the repositories are pruned and checked, and
// when nothing begins. Whoever changes it publishes ChannelScheduleChanged.
func PlanKey(id string) string { return "cluster/backup_plan/" + id }

// HistoryKey is a stream of what planned runs of a module by a schedule came to, an
// addition to NethServer 8's keys: a node writes it about its modules. Each entry has one
// field, run, in JSON. The oldest go.
func HistoryKey(node, backup, module string) string {
	return "node/" + node + "/backup_history/" + backup + "/" + module
}

// LastRunsKey is a hash of the last runs by a schedule, an addition to NethServer 8's keys:
// from module and kind to the last run, and with the word done behind to the last one that
// succeeded, in JSON.
func LastRunsKey(node, backup string) string {
	return "node/" + node + "/backup_last/" + backup
}

// SchedulerKey is how far the scheduler of a node has come with a schedule, in JSON, an
// addition to NethServer 8's keys: the last time that was dealt with, by whom, and when the
// run began and ended.
func SchedulerKey(node, backup string) string {
	return "node/" + node + "/backup_scheduler/" + backup
}

// SchedulerAliveKey is when a scheduler of a node, by a name of its own, was last heard of,
// an addition to NethServer 8's keys. It expires a minute later.
func SchedulerAliveKey(node, scheduler string) string {
	return "node/" + node + "/backup_scheduler_alive/" + scheduler
}

// LiveRunsKey is a hash of what is being run on a node, an addition to NethServer 8's keys:
// from schedule and module to how far it has come, in JSON, which says when that was. A run
// removes its own when it ends; one that is older than a minute is of a run that was killed.
func LiveRunsKey(node string) string { return "node/" + node + "/backup_live" }

// PairingKey is what a host gets for a pairing code of a module, in JSON, an addition to
// NethServer 8's keys: the module's ID, and its settings, encrypted with the code. HASH is that
// of what is derived from the code. The administrator's command writes it, the node's gateway
// takes it out for the first who asks; else it expires.
func PairingKey(node, hash string) string { return "node/" + node + "/backup_pairing/" + hash }

// RunLogKey is a list of the last lines that a run said about a module, an addition to
// NethServer 8's keys. It expires after a week.
func RunLogKey(node, run, module string) string {
	return "node/" + node + "/backup_log/" + run + "/" + module
}

// RunRequestsKey is a hash of what somebody asked for on the page of a node's gateway, an
// addition to NethServer 8's keys: from schedule to when it is to be run now, and who wants
// it, in JSON. Every node looks at those of all.
func RunRequestsKey(node string) string { return "node/" + node + "/backup_run_requests" }

// RunsBegunKey is a hash of the requests that a node has begun, an addition to NethServer
// 8's keys: from schedule to the time of the request.
func RunsBegunKey(node string) string { return "node/" + node + "/backup_run_requests_begun" }

// NoticedKey is a hash of what needs attention and somebody has acknowledged on the page of
// a node's gateway, an addition to NethServer 8's keys: from what it is about to who and
// when, in JSON.
func NoticedKey(node string) string { return "node/" + node + "/backup_noticed" }

// BackupStatusKey is a hash from module ID to the JSON outcome of its last
// backup by that schedule on that node.
func BackupStatusKey(node, backup string) string {
	return "node/" + node + "/backup_status/" + backup
}

// ChannelBackupStatusChanged is where a node says that a status changed:
// {"node_id":1,"backup_id":1,"module_id":"traefik1"}.
func ChannelBackupStatusChanged(node string) string {
	return "node/" + node + "/event/backup-status-changed"
}

// NodeVPNKey is the hash of a node's VPN settings, ip_address among them.
func NodeVPNKey(node string) string { return "node/" + node + "/vpn" }

// ModuleEnvironmentKey is the hash of a module's environment.
func ModuleEnvironmentKey(module string) string { return "module/" + module + "/environment" }

// ModuleUINameKey is the label an administrator gave a module, a string.
func ModuleUINameKey(module string) string { return "module/" + module + "/ui_name" }

// ModuleUINoteKey is the note an administrator wrote about a module, a string.
func ModuleUINoteKey(module string) string { return "module/" + module + "/ui_note" }

// ModuleFlagsKey is the set of a module's flags.
func ModuleFlagsKey(module string) string { return "module/" + module + "/flags" }
