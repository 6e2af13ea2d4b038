// Package expire removes old snapshots of a repository, as package retention decides. It
// asks restic for the snapshots and the gateway for their receipts, refuses to remove
// implausibly many, and lets restic remove the rest. "gatewayctl forget" and the retention
// of schedules share it.
package expire
