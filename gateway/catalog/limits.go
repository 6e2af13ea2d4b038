package catalog

import (
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Limits are the limits of a destination. Zero means no limit, unless stated otherwise.
type Limits struct {
	// Upload and Download are in bytes per second, for all requests together.
	Upload, Download int64
	// Operations is the maximum number of concurrent operations.
	Operations int64
	// Quota is the maximum size of the destination in bytes, ModuleQuota of each module;
	// ModuleQuotas, by module UUID, takes precedence.
	Quota, ModuleQuota int64
	ModuleQuotas       map[string]int64
	// ModuleSnapshots and ModuleIndexes bound how many each module may save in an hour,
	// ModuleLocks the locks in its repository. Zero is the gateway's default.
	ModuleSnapshots, ModuleIndexes, ModuleLocks int64
	// KeepDeleted is how many seconds deleted objects are kept: zero is DefaultKeepDeleted,
	// and KeepNothing disables the trash.
	KeepDeleted int64
	// TrashGivesWay is 1 if the oldest deleted objects are purged early when the storage is
	// full, and 0 if uploads are refused then.
	TrashGivesWay int64
	// Leases is 1 if nodes may only delete from a repository while they hold its lease.
	Leases int64
}

// QuotaOf returns the quota of the module with that UUID, in bytes; zero is none.
func (l *Limits) QuotaOf(uuid string) int64 {
	if quota, ok := l.ModuleQuotas[uuid]; ok {
		return quota
	}
	return l.ModuleQuota
}

// Fields returns the limits as fields of the hash LimitsKey, for [ParseLimits].
func (l *Limits) Fields() map[string]int64 {
	fields := map[string]int64{}
	for field, place := range l.places() {
		if *place > 0 {
			fields[field] = *place
		}
	}
	if l.KeepDeleted == KeepNothing {
		fields[FieldKeepDeleted] = 0
	}
	for uuid, quota := range l.ModuleQuotas {
		fields[FieldModuleQuotaPrefix+uuid] = quota
	}
	return fields
}

// places returns where the limits of the whole destination are stored, by field.
func (l *Limits) places() map[string]*int64 {
	return map[string]*int64{
		FieldUpload: &l.Upload, FieldDownload: &l.Download, FieldOperations: &l.Operations,
		FieldQuota: &l.Quota, FieldModuleQuota: &l.ModuleQuota,
		FieldModuleSnapshots: &l.ModuleSnapshots, FieldModuleIndexes: &l.ModuleIndexes, FieldModuleLocks: &l.ModuleLocks,
		FieldKeepDeleted: &l.KeepDeleted, FieldTrashGivesWay: &l.TrashGivesWay, FieldLeases: &l.Leases,
	}
}

// Fields of LimitsKey. All hold whole numbers, in decimal digits.
const (
	FieldUpload      = "upload"       // bytes per second
	FieldDownload    = "download"     // bytes per second
	FieldOperations  = "operations"   // at once
	FieldQuota       = "quota"        // bytes, of all modules together
	FieldModuleQuota = "module_quota" // bytes, of each module

	FieldModuleSnapshots = "module_snapshots" // that each module may save in an hour; 240 where nothing is set
	FieldModuleIndexes   = "module_indexes"   // that each module may save in an hour; 3600 where nothing is set
	FieldModuleLocks     = "module_locks"     // that a repository may have; 1000 where nothing is set

	// FieldModuleQuotaPrefix and a module's UUID are the quota of that module.
	FieldModuleQuotaPrefix = FieldModuleQuota + ":"
	FieldKeepDeleted       = "keep_deleted"    // seconds that deleted objects are kept; 0 is not at all
	FieldTrashGivesWay     = "trash_gives_way" // 1 purges them early, the oldest first and none of the last day, once the storage is full
	FieldLeases            = "leases"          // 1: nodes delete only from repositories of which they hold a lease
)

// ParseLimits parses the hash LimitsKey. The error lists malformed fields; the other limits
// are returned anyway.
func ParseLimits(fields map[string]string) (Limits, error) {
	var l Limits
	var errs []error
	places := l.places()
	for _, field := range slices.Sorted(maps.Keys(fields)) {
		value, err := strconv.ParseInt(fields[field], 10, 64)
		if err != nil || value < 0 {
			errs = append(errs, errors.New(field+" is not a whole number of 0 or more"))
			continue
		}
		uuid, ofModule := strings.CutPrefix(field, FieldModuleQuotaPrefix)
		switch place := places[field]; {
		case field == FieldKeepDeleted && value == 0:
			l.KeepDeleted = KeepNothing
		case place != nil:
			*place = value
		case ofModule && validUUID(uuid):
			if l.ModuleQuotas == nil {
				l.ModuleQuotas = make(map[string]int64)
			}
			l.ModuleQuotas[uuid] = value
		default:
			errs = append(errs, errors.New(field+" is no limit that this version knows"))
		}
	}
	return l, errors.Join(errs...)
}
