"""Money: whole minor units of a currency, never a fraction, never a float."""

from typing import Annotated, Final

from pydantic import AfterValidator, Field, JsonValue
from pydantic_core import PydanticCustomError

MONEY_MAX: Final = 10**12
"""The largest sum in minor units. It is exact in a JSON number of any language (2**53) and in a BIGINT."""

# ISO 4217, list one, as of 2026: what people pay with, so without funds, metals and test codes.
_CODES: Final = """
AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF
CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD
HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL
LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP
PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT
TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VES VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG
"""
CURRENCIES: Final = frozenset(_CODES.split())


def _known(code: str) -> str:
    if code not in CURRENCIES:
        raise PydanticCustomError("currency_unknown", "The currency is not in ISO 4217")
    return code


_ENUM: Final[list[JsonValue]] = [*sorted(CURRENCIES)]

Currency = Annotated[
    str,
    Field(
        pattern=r"^[A-Z]{3}$",
        min_length=3,
        max_length=3,
        description="ISO 4217, such as EUR",
        json_schema_extra={"enum": _ENUM},
    ),
    AfterValidator(_known),
]
"""The code of a currency that is in use."""

Amount = Annotated[int, Field(ge=1, le=MONEY_MAX, description="minor units (cents)")]
"""Money that moves: at least one minor unit."""

Price = Annotated[int, Field(ge=0, le=MONEY_MAX, description="minor units (cents), 0 where it is free")]
"""What something costs, in minor units."""
