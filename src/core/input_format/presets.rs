//! Mappings of the exports and events of well-known platforms, which come with the program.
//!
//! Each is a file of `presets/`, as it could be given with `--map`; its first line says what it is for.

/// A mapping that comes with the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preset {
    pub name: &'static str,
    /// A mapping file.
    pub text: &'static str,
}

/// The presets in the order of their names.
pub const PRESETS: &[Preset] = &[
    Preset { name: "amazon-orders", text: include_str!("presets/amazon-orders.toml") },
    Preset { name: "ebay-orders", text: include_str!("presets/ebay-orders.toml") },
    Preset { name: "ga4", text: include_str!("presets/ga4.toml") },
    Preset { name: "magento-orders", text: include_str!("presets/magento-orders.toml") },
    Preset { name: "segment", text: include_str!("presets/segment.toml") },
    Preset { name: "shopify-orders", text: include_str!("presets/shopify-orders.toml") },
    Preset { name: "shopify-webhook", text: include_str!("presets/shopify-webhook.toml") },
    Preset { name: "snowplow", text: include_str!("presets/snowplow.toml") },
    Preset { name: "snowplow-items", text: include_str!("presets/snowplow-items.toml") },
    Preset { name: "square-items", text: include_str!("presets/square-items.toml") },
    Preset { name: "stripe-payments", text: include_str!("presets/stripe-payments.toml") },
    Preset { name: "woocommerce-orders", text: include_str!("presets/woocommerce-orders.toml") },
    Preset { name: "woocommerce-webhook", text: include_str!("presets/woocommerce-webhook.toml") },
];

impl Preset {
    /// Returns the preset of a name.
    pub fn named(name: &str) -> Option<Preset> {
        PRESETS.iter().find(|preset| preset.name == name).copied()
    }

    /// Returns what the preset is for.
    pub fn title(self) -> &'static str {
        self.text.lines().next().unwrap_or("").trim_start_matches(['#', ' '])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_are_sorted_and_have_a_title() {
        assert!(PRESETS.is_sorted_by_key(|preset| preset.name));
        assert!(PRESETS.iter().all(|preset| preset.text.starts_with("# ") && !preset.title().is_empty()));
    }
}
