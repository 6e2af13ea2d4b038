// Package catalog reads what Redis says about users, modules, destinations and
// nodes, and hears when it changes. The keys are those of NethServer 8.
package catalog
