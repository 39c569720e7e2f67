"""Resources: what an instance has, what is free, allocated, down, drained (flux-core's `flux.resource`).

print(flux.resource.resource_list(h).get().free.ncores)
print(flux.resource.resource_status(h).get().drained)
"""

from flux.resource.journal import ResourceJournalConsumer
from flux.resource.list import ResourceListRPC, SchedResourceList, resource_list
from flux.resource.ResourceCount import ResourceCount
from flux.resource.ResourceSet import ResourceSet
from flux.resource.status import DrainInfo, ResourceStatus, ResourceStatusRPC, resource_status

__all__ = [
    "DrainInfo",
    "ResourceCount",
    "ResourceJournalConsumer",
    "ResourceListRPC",
    "ResourceSet",
    "ResourceStatus",
    "ResourceStatusRPC",
    "SchedResourceList",
    "resource_list",
    "resource_status",
]
