//! FR-Produit-de-sante (3.43): the medication of a statement, request, dispense, administration, and its details (C8-25).
use super::super::codes::{codings, concept};
use super::super::context::{Context, resource, set};
use super::super::datatypes::{absent, date_time, pq, ratio};
use crate::cda::Element;
use crate::fhir::Resource;
use serde_json::{Value, json};

/// Codes, ingredients and packagings of one product that are read.
const PARTS: usize = 32;

/// What a `consumable` or `product` becomes.
pub(super) struct Product {
    /// `medicationCodeableConcept`: always.
    pub(super) concept: Value,
    /// The Medication with form, ingredients, lot and package, where any is stated.
    pub(super) medication: Option<String>,
}

impl Product {
    /// Whether the product is named at all.
    pub(super) fn is_named(&self) -> bool {
        self.concept.get("coding").is_some() || self.concept.get("text").is_some()
    }
}

/// manufacturedProduct (FR-Produit-de-sante, 1.2.250.1.213.1.1.3.43) -> CodeableConcept, and a Medication for its details
///
/// code, translation (also nested), generic's code, package's code -> coding;  name, else originalText -> text
/// pharm:formCode, ingredient (code, quantity) -> form, ingredient (item, strength)
/// lotNumberText, expirationTime -> batch;  asContent capacityQuantity -> amount
/// `url`: the resource that names the product; it has all the codes
pub(super) fn product(context: &mut Context<'_>, holder: Option<Element<'_>>, url: &str) -> Product {
    let product = holder.and_then(|holder| holder.child("manufacturedProduct"));
    let material = product.and_then(|product| product.child("manufacturedMaterial"));
    let Some(material) = material else {
        return Product { concept: absent("NI"), medication: None };
    };
    let concept = self::concept_of(context, material);
    let medication = details(context, material, &concept);
    if let Some(holder) = holder {
        context.claim_tree(holder, url);
    }
    Product { concept, medication }
}

fn concept_of(context: &mut Context<'_>, material: Element<'_>) -> Value {
    let code = material.child("code");
    let mut out = code.and_then(|code| concept(context, code)).unwrap_or_else(|| absent("NI"));
    let mut more = Vec::new();
    // Translations of translations: the substances of a reimbursed product.
    let nested = code
        .into_iter()
        .flat_map(Element::subtree)
        .filter(|part| part.is("translation") && part.parent().is_some_and(|around| around.is("translation")));
    let generic = children(material, "asSpecializedKind").filter_map(|kind| below(kind, &["generalizedMedicineClass", "code"]));
    let package = children(material, "asContent").filter_map(|content| below(content, &["containerPackagedMedicine", "code"]));
    for element in nested.chain(generic).chain(package).take(PARTS) {
        more.extend(codings(context, element));
    }
    let name = text(material, "name");
    if let Some(members) = out.as_object_mut() {
        if !more.is_empty() {
            let known = members.entry("coding").or_insert_with(|| json!([]));
            if let Some(known) = known.as_array_mut() {
                for coding in more {
                    // The same code of another display says nothing more.
                    let same =
                        |other: &Value| other.get("system") == coding.get("system") && other.get("code") == coding.get("code");
                    if !known.iter().any(same) {
                        known.push(coding);
                    }
                }
            }
        }
        if let Some(name) = name {
            members.insert("text".into(), json!(name));
        }
        if members.contains_key("coding") || members.contains_key("text") {
            members.remove("extension");
        }
    }
    out
}

fn details(context: &mut Context<'_>, material: Element<'_>, concept: &Value) -> Option<String> {
    let mut out = Resource::new();
    let form = material.child_of_any_namespace("formCode").and_then(|code| self::stated_concept(context, code));
    set(&mut out, "form", form);
    let amount = children(material, "asContent").find_map(|content| content.child_of_any_namespace("containerPackagedMedicine"));
    let amount = amount.and_then(|package| self::amount(context, package));
    set(&mut out, "amount", amount);
    let mut ingredients = Vec::new();
    for ingredient in children(material, "ingredient").take(PARTS) {
        ingredients.extend(self::ingredient(context, ingredient));
    }
    set(&mut out, "ingredient", Value::Array(ingredients));
    let mut batch = Resource::new();
    set(&mut batch, "lotNumber", text(material, "lotNumberText").map(|lot| json!(lot)));
    let expiry = material.child_of_any_namespace("expirationTime").and_then(|time| date_time(context, time));
    set(&mut batch, "expirationDate", expiry.map(|time| json!(time)));
    if !batch.is_empty() {
        set(&mut out, "batch", Value::Object(batch));
    }
    if out.is_empty() {
        return None;
    }
    let mut medication = resource("Medication");
    set(&mut medication, "code", concept.clone());
    medication.extend(out);
    Some(context.add(material.path(), medication))
}

/// pharm:ingredient -> ingredient;  ingredient/code, name -> itemCodeableConcept;  quantity -> strength
fn ingredient(context: &mut Context<'_>, ingredient: Element<'_>) -> Option<Value> {
    let substance = ingredient.child_of_any_namespace("ingredient");
    let mut item = substance
        .and_then(|substance| substance.child_of_any_namespace("code"))
        .and_then(|code| stated_concept(context, code))
        .unwrap_or_else(|| json!({}));
    let name = substance.and_then(|substance| text(substance, "name"));
    let members = item.as_object_mut()?;
    if !members.contains_key("text")
        && let Some(name) = name
    {
        members.insert("text".into(), json!(name));
    }
    if members.is_empty() {
        return None;
    }
    let mut out = Resource::new();
    out.insert("itemCodeableConcept".into(), item);
    let strength = ingredient.child_of_any_namespace("quantity").and_then(|quantity| strength(context, quantity));
    set(&mut out, "strength", strength);
    Some(Value::Object(out))
}

fn strength(context: &mut Context<'_>, quantity: Element<'_>) -> Option<Value> {
    if let Some(ratio) = ratio(context, quantity) {
        return Some(ratio);
    }
    // The children may be in the namespace of the pharmacy extension.
    let numerator = quantity.child_of_any_namespace("numerator").and_then(|side| pq(context, side, None))?;
    let denominator = quantity.child_of_any_namespace("denominator").and_then(|side| pq(context, side, None))?;
    Some(json!({"numerator": numerator, "denominator": denominator}))
}

/// containerPackagedMedicine capacityQuantity -> numerator;  one container, formCode -> denominator with its unit
fn amount(context: &mut Context<'_>, package: Element<'_>) -> Option<Value> {
    let capacity = package.child_of_any_namespace("capacityQuantity").and_then(|quantity| pq(context, quantity, None))?;
    let mut one = Resource::new();
    one.insert("value".into(), json!(1));
    let form = package.child_of_any_namespace("formCode").filter(|form| form.stated("code").is_some());
    if let Some(coding) = form.and_then(|form| codings(context, form).into_iter().next()) {
        for (from, to) in [("display", "unit"), ("system", "system"), ("code", "code")] {
            set(&mut one, to, coding.get(from).cloned());
        }
    }
    Some(json!({"numerator": capacity, "denominator": one}))
}

/// A concept that says more than why it is absent.
fn stated_concept(context: &mut Context<'_>, code: Element<'_>) -> Option<Value> {
    concept(context, code).filter(|concept| concept.get("coding").is_some() || concept.get("text").is_some())
}

fn children<'d>(element: Element<'d>, name: &'static str) -> impl Iterator<Item = Element<'d>> {
    element.children().filter(move |child| child.name() == name)
}

fn below<'d>(element: Element<'d>, path: &[&str]) -> Option<Element<'d>> {
    path.iter().try_fold(element, |at, name| at.child_of_any_namespace(name))
}

fn text(element: Element<'_>, name: &str) -> Option<String> {
    element.child_of_any_namespace(name).map(Element::text).filter(|text| !text.is_empty())
}
