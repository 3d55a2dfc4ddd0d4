from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tcworker.networks import DENIED_BY_DEFAULT, Networks


class NetworksTests(SynchronousTestCase):
    def test_the_services_that_tell_a_machine_its_secrets_are_denied_by_default(self) -> None:
        denied = Networks(DENIED_BY_DEFAULT)
        for host in ("169.254.169.254", "169.254.170.2", "fd00:ec2::254", "fd20:ce::254", "100.100.100.200"):
            self.assertTrue(denied.have(host), host)

    def test_other_addresses_and_names_are_not(self) -> None:
        denied = Networks(DENIED_BY_DEFAULT)
        for host in (
            "127.0.0.1",
            "10.0.0.1",
            "2001:db8::1",
            "example.com",
            "169.254.169.254.nip.io",
            "",
            "169.254.169.254 a",
        ):
            self.assertFalse(denied.have(host), host)

    def test_every_form_of_an_address_is_the_address(self) -> None:
        denied = Networks(["169.254.0.0/16"])
        forms = [
            "2852039166",
            "0xa9fea9fe",
            "0251.0376.0251.0376",
            "169.254.43518",
            "::ffff:169.254.169.254",
            "[::ffff:a9fe:a9fe]",
            "64:ff9b::a9fe:a9fe",
            "2002:a9fe:a9fe::1",
            "64:ff9b:1::a9fe:a9fe",
            "64:ff9b:1:2:3:4:a9fe:a9fe",
            "::169.254.169.254",
            "169.254.169.254.",
            "0xa9fea9fe.",
            "::ffff:0:169.254.169.254",
            "2001:0:a9fe:a9fe::1",
            "2001::5601:5601",
        ]
        for form in forms:
            self.assertTrue(denied.have(form), form)

    def test_a_zone_is_no_part_of_an_address(self) -> None:
        self.assertTrue(Networks(["fe80::/10"]).have("fe80::1%eth0"))

    def test_no_address_at_all_leads_to_the_machine_itself(self) -> None:
        self.assertTrue(Networks(["127.0.0.0/8"]).have("0.0.0.0"))
        self.assertTrue(Networks(["::1"]).have("::"))

    def test_a_form_of_a_form_is_the_address(self) -> None:
        denied = Networks(["127.0.0.0/8"])
        for form in ("::ffff:0.0.0.0", "[::ffff:0:0]", "64:ff9b::", "2002::1", "::"):
            self.assertTrue(denied.have(form), form)

    def test_an_address_alone_is_a_network(self) -> None:
        self.assertTrue(Networks(["192.0.2.1"]).have("192.0.2.1"))
        self.assertFalse(Networks(["192.0.2.1"]).have("192.0.2.2"))

    def test_what_is_no_network_is_refused(self) -> None:
        self.assertRaises(ValueError, Networks, ["everything"])

    def test_none_are_false(self) -> None:
        self.assertFalse(Networks())
        self.assertTrue(Networks(["10.0.0.0/8"]))
