"""The entities of a Defender alert: machines, accounts, addresses, processes, pods, and resources of three clouds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from isthmus.connectors.defender.resources import is_resource, resource
from isthmus.connectors.defender.spelling import part, rows, said
from isthmus.contracts.reading import Record, words
from isthmus.model.assets import Asset, AssetKind
from isthmus.model.findings import Indicator, Tie
from isthmus.model.outside import Outside

_INSIDE = ("10.", "127.", "169.254.", "192.168.", "::1", *(f"172.{second}." for second in range(16, 32)))


class Entities:
    """The entities of one alert, by their type; types are written in several cases."""

    __slots__ = ("_of",)

    def __init__(self, alert: Record) -> None:
        self._of: dict[str, list[dict[str, Any]]] = {}
        for row in rows(alert, "entities"):
            self._of.setdefault(said(row, "type").lower(), []).append(row)

    def of(self, kind: str) -> list[dict[str, Any]]:
        return self._of.get(kind, [])

    def referred(self, row: Record, name: str, kind: str) -> Record:
        """What a field of an entity holds, or what it refers to: `{"$ref": "5"}` is the entity whose `$id` is 5."""
        inside = part(row, name)
        number = said(inside, "$ref")
        return next((one for one in self.of(kind) if number and said(one, "$id") == number), inside)

    def indicators(self) -> tuple[Indicator, ...]:
        """Addresses from outside, names looked up, commands run, hashes of files. Inside addresses are our own."""
        found = [Indicator("ip", said(row, "address")) for row in self.of("ip")]
        found = [one for one in found if not one.value.startswith(_INSIDE)]
        found += [Indicator("domain", said(row, "domainName")) for row in self.of("dns")]
        found += [Indicator("process", said(row, "commandLine")) for row in self.of("process")]
        found += [Indicator("hash", said(row, "value")) for row in self.of("filehash")]
        found += [Indicator("hash", said(one, "value")) for row in self.of("file") for one in rows(row, "fileHashes")]
        found += [Indicator("user_agent", said(row, "userAgent")) for row in self.of("cloud-logon-session")]
        return tuple(dict.fromkeys(one for one in found if one.value))

    def foreign(self) -> Asset | None:
        """The resource of AWS or GCP an alert from a connected account is about."""
        for row in self.of("amazon-resource"):
            own, kind, name = said(row, "amazonResourceId"), said(row, "resourceType"), said(row, "resourceName")
            account = said(row, "amazonAccountId", "accountId")
            return resource(own, words=(kind,), name=name, account=account, provider="aws")
        for row in self.of("gcp-resource"):
            related = words(row, "RelatedAzureResourceIds") or words(row, "relatedAzureResourceIds")
            found = resource(*related, words=(said(row, "resourceType"),), name=said(row, "resourceName"))
            return Asset(found.kind, "gcp", said(row, "projectId"), said(row, "location"), found.name, found.ids)
        return None

    def azure(self) -> Iterator[str]:
        """Every Azure resource named, the most to the point first: resources themselves, then machines by their Azure id."""
        yield from (own for row in self.of("azure-resource") if is_resource(own := said(row, "resourceId")))
        yield from (own for row in self.of("host") if is_resource(own := said(row, "azureID")))

    def pod(self, cluster: Asset) -> Asset | None:
        """The pod in an alert about a cluster."""
        for row in self.of("k8s-pod"):
            namespace = said(self.referred(row, "namespace", "k8s-namespace"), "name")
            own = f"k8s:{cluster.ids[0].rpartition('/')[2]}/{namespace}/{said(row, 'name')}"
            name = Outside(said(row, "name"))
            return Asset(AssetKind.POD, "kubernetes", cluster.account, name=name, ids=(own,))
        return None

    def machine(self, shown: str) -> Asset | None:
        """The machine the alert shows as compromised, or the first. A name is no id; Defender's device id is its own."""
        hosts = self.of("host")
        names = [said(row, "fQDN", "hostName") for row in hosts]
        at = next((at for at, name in enumerate(names) if name and shown.lower().startswith(name.lower())), 0)
        if not hosts:
            return None
        own = said(hosts[at], "mdatpDeviceId")
        return Asset(AssetKind.INSTANCE, name=Outside(names[at]), ids=(f"defender:{own}",) if own else ())

    def people(self) -> Iterator[Asset]:
        """Accounts with an id: of Entra, or of a domain. Well-known accounts (`S-1-5-18`) are the same everywhere."""
        for row in (*self.of("account"), *self.of("mailbox")):
            own, sid = said(row, "aadUserId", "aadId"), said(row, "sid")
            name = said(row, "userPrincipalName", "upn", "accountName", "name")
            if own:
                yield Asset(AssetKind.USER, "azure", name=Outside(name), ids=(own,))
            elif sid.startswith("S-1-5-21-"):
                yield Asset(AssetKind.USER, name=Outside(name), ids=(sid,))

    def images(self) -> Iterator[Asset]:
        for row in self.of("container-image"):
            name, _, digest = said(row, "imageId").partition("@")
            if digest.startswith("sha256:"):
                yield Asset(AssetKind.IMAGE, name=Outside(name), ids=(digest,))

    def ties(self, main: Asset, cluster: Asset | None) -> tuple[Tie, ...]:
        """Who was there, what else was named, and where the main asset lives. The accounts named are those that acted."""
        ties = [Tie("actor", one) for one in self.people() if one.ids != main.ids]
        known = {one.lower() for one in (*main.ids, *(cluster.ids if cluster else ()))}
        ties += [Tie("touches", resource(own)) for own in self.azure() if own.lower() not in known]
        ties += [Tie("part_of", cluster)] if cluster else []
        ties += [Tie("uses_image", image) for image in self.images()]
        return tuple(dict.fromkeys(ties))
