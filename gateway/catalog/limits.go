package catalog

import (
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Limits are what an administrator allows of a destination. Zero is no limit, where
// nothing else is said.
type Limits struct {
	// Upload and Download are in bytes per second, over all requests together.
	Upload, Download int64
	// Operations is how many requests the destination gets at once.
	Operations int64
	// Quota is how many bytes the destination may hold, ModuleQuota how many of
	// each module; ModuleQuotas, by module UUID, go before that.
	Quota, ModuleQuota int64
	ModuleQuotas       map[string]int64
	// ModuleSnapshots and ModuleIndexes are how many each module may save in an hour,
	// ModuleLocks how many locks its repository may have. Zero is the default of the
	// gateway.
	ModuleSnapshots, ModuleIndexes, ModuleLocks int64
	// KeepDeleted is for how many seconds the destination keeps what is deleted: zero
	// is DefaultKeepDeleted, and KeepNothing not at all.
	KeepDeleted int64
	// TrashGivesWay is 1 where what is kept longest is purged early once the storage is
	// full, and 0 where uploads are refused then.
	TrashGivesWay int64
	// Leases is 1 where nodes delete nothing from a repository of which they hold no lease.
	Leases int64
}

// QuotaOf is the quota of the module with that UUID, in bytes; zero is none.
func (l *Limits) QuotaOf(uuid string) int64 {
	if quota, ok := l.ModuleQuotas[uuid]; ok {
		return quota
	}
	return l.ModuleQuota
}

// Fields are the fields of the hash LimitsKey that holds these limits, as
// [ParseLimits] reads them.
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

// places are where the limits of the whole destination are, by field.
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

// ParseLimits reads the hash LimitsKey. Fields that cannot be read are left out
// and named by the error; the limits beside them hold anyway.
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
